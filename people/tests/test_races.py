"""Several requests at once: each decides on what is there when its turn comes."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import F
from ninja_jwt.token_blacklist.models import BlacklistedToken
from ninja_jwt.tokens import RefreshToken
from PIL import Image

from lms.models import Access, AccessSource, Course
from lms.services import accesses, authoring
from lms.tests.factories import CourseFactory
from people import one_time_links
from people.errors import AccountErased, LastAdministrator
from people.models import BlockNotice, BlockReason, TokenFamily, User
from people.services import accounts, blocks, enrolling, passwords, staff
from people.tests.factories import PASSWORD, UserFactory
from project.common.address_lists import read_addresses
from project.common.images import Picture
from project.mail.models import Mailing
from project.tests.processes import wait_until
from project.tests.races import Runner, at_once, statuses

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8
NEW_PASSWORD = "another horse battery"


def log_in(api: Any, user: User) -> Any:
    return api(None).post("auth/token", {"email": user.email, "password": PASSWORD})


def refresh(api: Any, token: str) -> Any:
    return api(None).post("auth/token/refresh", {"refresh": token})


@pytest.fixture
def picture() -> bytes:
    encoded = BytesIO()
    Image.new("RGB", (4, 4)).save(encoded, "PNG")
    return encoded.getvalue()


def stored() -> set[str]:
    there = default_storage.exists("avatars")
    return {f"avatars/{name}" for name in default_storage.listdir("avatars")[1]} if there else set()


# --- Tokens and links -----------------------------------------------------------------------------


def test_exchanges_of_one_token_at_once_give_one_and_the_same_successor(api, learner):
    token = log_in(api, learner).json()["refresh"]
    answers = at_once(*[lambda: refresh(api, token)] * THREADS, before_writing=TokenFamily)
    assert statuses(answers) == {200: THREADS}
    (successor,) = {answer.json()["refresh"] for answer in answers}
    assert successor != token
    assert TokenFamily.objects.get().generation == 1
    assert refresh(api, successor).status_code == 200


def test_of_exchanges_of_a_stolen_token_at_once_none_leaves_a_good_one(api, learner):
    stolen = log_in(api, learner).json()["refresh"]
    successor = refresh(api, stolen).json()["refresh"]
    TokenFamily.objects.update(issued_at=F("issued_at") - timedelta(seconds=31))
    answers = at_once(
        *[lambda: refresh(api, stolen), lambda: refresh(api, successor)] * (THREADS // 2),
        before_writing=TokenFamily,
    )
    codes = Counter(answer.json().get("code") for answer in answers)
    assert codes["token_reused"] == 1
    assert not TokenFamily.objects.exists()
    for token in {stolen, successor, *(answer.json().get("refresh") for answer in answers)} - {
        None
    }:
        assert refresh(api, token).status_code == 401


@pytest.mark.parametrize("first", ["log out", "refresh"])
def test_an_exchange_during_the_log_out_leaves_no_good_token(api, learner, first):
    token = log_in(api, learner).json()["refresh"]
    acts = {
        "log out": lambda: api(None).post("auth/logout", {"refresh": token}),
        "refresh": lambda: refresh(api, token),
    }
    order = sorted(acts, key=lambda name: name != first)
    answers = dict(
        zip(order, at_once(*(acts[name] for name in order), before_writing=User), strict=True)
    )
    assert answers["log out"].status_code == 204
    successor = answers["refresh"].json().get("refresh", token)
    assert not TokenFamily.objects.exists()
    assert refresh(api, token).status_code == refresh(api, successor).status_code == 401


@pytest.mark.parametrize("act", ["password/change", "logout/everywhere"])
@pytest.mark.parametrize("first", [True, False])
def test_an_exchange_while_all_tokens_end_leaves_none_of_before(api, learner, act, first):
    token = log_in(api, learner).json()["refresh"]
    body = {"old_password": PASSWORD, "new_password": NEW_PASSWORD} if "change" in act else None
    acts = [lambda: api(learner).post(f"auth/{act}", body), lambda: refresh(api, token)]
    outcomes = at_once(*(acts if first else acts[::-1]), before_writing=User)
    ended, exchanged = outcomes if first else outcomes[::-1]
    assert ended.status_code in {200, 204}
    for kept in {token, exchanged.json().get("refresh", token)}:
        assert refresh(api, kept).status_code == 401
    if body:
        assert refresh(api, ended.json()["refresh"]).status_code == 200
    assert TokenFamily.objects.count() == (1 if body else 0)


def test_log_outs_at_once_are_all_done(api, learner):
    body = {"refresh": log_in(api, learner).json()["refresh"]}
    answers = at_once(
        *[lambda: api(None).post("auth/logout", body)] * THREADS, before_writing=TokenFamily
    )
    assert statuses(answers) == {204: THREADS}


@pytest.mark.parametrize("first", [True, False])
def test_a_token_of_before_there_were_families_is_logged_out_while_it_is_exchanged(
    api, learner, first
):
    old: Any = RefreshToken.for_user(learner)  # type: ignore[misc]
    old["version"] = learner.token_version
    token = str(old)
    acts = [
        lambda: api(None).post("auth/logout", {"refresh": token}),
        lambda: refresh(api, token),
    ]
    outcomes = at_once(*(acts if first else acts[::-1]), before_writing=BlacklistedToken)
    ended, exchanged = outcomes if first else outcomes[::-1]
    assert ended.status_code == 204
    if connection.vendor == "postgresql":  # which tells who is first
        assert exchanged.status_code == (401 if first else 200)
    for kept in {token, exchanged.json().get("refresh", token)}:
        assert refresh(api, kept).status_code == 401


def test_one_email_registers_once(api):
    emails = ["anna@school.example", "ANNA@SCHOOL.EXAMPLE"] * 4
    answers = at_once(
        *[
            partial(api(None).post, "auth/register", {"email": email, "password": PASSWORD})
            for email in emails
        ],
        before_writing=User,
    )
    assert statuses(answers) == {201: 1, 409: 7}
    assert User.objects.count() == 1


@pytest.mark.parametrize("kind", ["password/reset", "reactivation"])
def test_one_link_works_once(api, kind):
    user = UserFactory.create(inactive=True)
    make_link = {
        "password/reset": one_time_links.password_reset_link,
        "reactivation": one_time_links.reactivation_link,
    }[kind]
    uid, token = make_link(user).split("/")[-2:]
    body = {"uid": uid, "token": token}
    if kind == "password/reset":
        body["new_password"] = NEW_PASSWORD
    answers = at_once(
        *[lambda: api(None).post(f"auth/{kind}/confirm", body)] * THREADS, before_writing=User
    )
    assert statuses(answers) == {204: 1, 409: 7}


# --- Passwords ------------------------------------------------------------------------------------


def test_one_password_is_changed_once(api, learner):
    change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    answers = at_once(
        *[lambda: api(learner).post("auth/password/change", change)] * 2, before_writing=User
    )
    # On SQLite one may begin when the other is done: then the token has ended.
    assert statuses(answers) in ({200: 1, 422: 1}, {200: 1, 401: 1})


def _change(api: Any, user: User) -> None:
    change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert api(user).post("auth/password/change", change).status_code == 200


def _reset_by_link(api: Any, user: User) -> None:
    uid, token = one_time_links.password_reset_link(user).rstrip("/").split("/")[-2:]
    body = {"uid": uid, "token": token, "new_password": NEW_PASSWORD}
    assert api(None).post("auth/password/reset/confirm", body).status_code == 204


def _reset_by_command(api: Any, user: User) -> None:
    passwords.reset_password(user=user, password=NEW_PASSWORD)


@pytest.mark.parametrize("change", [_change, _reset_by_link, _reset_by_command])
@pytest.mark.parametrize("first", ["change", "log-in"])
def test_log_in_while_the_password_changes_leaves_no_token_of_the_old_one(
    api, administrator, change, first
):
    acts: list[Callable[[], Any]] = [
        lambda: change(api, administrator),
        lambda: log_in(api, administrator),
    ]
    outcomes = at_once(*(acts if first == "change" else reversed(acts)), before_writing=User)
    (entered,) = filter(None, outcomes)
    assert entered.status_code in {200, 401}
    if connection.vendor == "postgresql":  # which tells who is first
        assert entered.status_code == (401 if first == "change" else 200)
    if entered.status_code == 200:
        assert refresh(api, entered.json()["refresh"]).status_code == 401


class SlowHasher(MD5PasswordHasher):
    """Compares passwords only when it may."""

    may_go_on = Event()
    now = most = 0

    def verify(self, password: str, encoded: str) -> bool:
        SlowHasher.now += 1
        SlowHasher.most = max(SlowHasher.most, SlowHasher.now)
        SlowHasher.may_go_on.wait(timeout=10)
        SlowHasher.now -= 1
        return super().verify(password, encoded)


def test_a_crowd_that_logs_in_leaves_one_thread_to_the_others(api, settings):
    users = UserFactory.create_batch(THREADS)
    settings.PASSWORD_HASHERS = [f"{__name__}.SlowHasher"]
    settings.WEB_THREADS = 4
    settings.THROTTLE_LOGIN = f"{THREADS + 1}/min"
    turned_away: list[int] = []

    def enter(user: User) -> Any:
        answer = log_in(api, user)
        if answer.status_code == 429:
            turned_away.append(user.pk)
        if len(turned_away) == THREADS - 3:
            SlowHasher.may_go_on.set()
        return answer

    answers = at_once(*[partial(enter, user) for user in users])

    assert statuses(answers) == {200: 3, 429: 5}
    assert {answer.headers.get("Retry-After") for answer in answers} == {None, "1"}
    assert SlowHasher.most == 1
    # Who was turned away has lost none of the attempts of their address.
    assert {log_in(api, user).status_code for user in users[: THREADS - 3]} == {200}


@pytest.mark.postgresql
def test_who_waits_for_the_database_takes_nobodys_turn(api, settings, learner, stranger):
    settings.WEB_THREADS = 2  # one place
    with transaction.atomic(), connection.cursor() as cursor:
        User.objects.select_for_update().get(pk=learner.pk)
        waiting = Runner(partial(log_in, api, learner))
        waiting.start()
        wait_until(lambda: waiting.backend and waiting.stands_still(cursor), pause=0.005)
        assert waiting.is_alive()
        [entered] = at_once(partial(log_in, api, stranger))
    waiting.join(60)
    assert statuses([entered, waiting.outcome]) == {200: 2}


def test_guessing_at_once_gains_nothing(api, settings):
    settings.WEB_THREADS = 2 * THREADS
    settings.THROTTLE_LOGIN = "3/min"
    body = {"email": "anna@school.example", "password": "wrong"}
    answers = at_once(*[lambda: api(None).post("auth/token", body)] * THREADS)
    assert statuses(answers) == {401: 3, 429: 5}


# --- Accounts -------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "act",
    ["log in", "refresh", "change password", "reset", "change profile", "change avatar", "erase"],
)
def test_who_is_just_erased_is_refused_and_nothing_is_written(api, learner, picture, act):
    files = stored()
    token = log_in(api, learner).json()["refresh"]
    uid, secret = one_time_links.password_reset_link(learner).split("/")[-2:]
    learner.refresh_from_db()
    client, path = api(learner), f"users/{learner.pk}"
    passwords = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    link = {"uid": uid, "token": secret, "new_password": NEW_PASSWORD}
    acts: dict[str, tuple[int, Callable[[], Any]]] = {
        "log in": (403, lambda: log_in(api, learner)),
        "refresh": (401, lambda: refresh(api, token)),
        "change password": (422, lambda: client.post("auth/password/change", passwords)),
        "reset": (409, lambda: api(None).post("auth/password/reset/confirm", link)),
        "change profile": (401, lambda: client.patch(path, {"city": "Atlantis"})),
        "change avatar": (401, lambda: client.upload("users/me/avatar", picture)),
        "erase": (401, lambda: client.delete(path)),
    }
    status, late = acts[act]
    erased, answer = at_once(lambda: api(learner).delete(path), late, before_writing=User)
    assert (erased.status_code, answer.status_code) == (204, status)
    learner.refresh_from_db()
    assert (learner.blocked_reason, learner.city, learner.avatar.name) == ("erased", "", "")
    assert not learner.has_usable_password()
    assert stored() == files


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "act",
    [
        blocks.block,
        blocks.unblock,
        partial(staff.give_roles, roles=[]),
        partial(staff.take_roles, roles=[]),
        partial(staff.update_account, changes={"city": "Atlantis"}),
        accounts.erase_account,
    ],
    ids=["block", "unblock", "give_roles", "take_roles", "change", "erase"],
)
def test_staff_find_who_is_just_erased_erased(learner, administrator, moderators, act):
    _erased, outcome = at_once(
        partial(accounts.erase_account, user=learner),
        partial(act, user=learner, by=administrator),
        before_writing=User,
        refused=(AccountErased,),
    )
    assert isinstance(outcome, AccountErased)
    learner.refresh_from_db()
    assert (learner.blocked_reason, learner.is_active) == (BlockReason.ERASED, False)
    assert (learner.city, learner.is_staff) == ("", False)


def test_an_avatar_that_comes_while_the_account_is_erased_leaves_no_file(api, learner, picture):
    before = stored()
    at_once(
        lambda: api(learner).upload("users/me/avatar", picture),
        lambda: api(learner).delete(f"users/{learner.pk}"),
        before_writing=User,
    )
    learner.refresh_from_db()
    assert (learner.avatar.name, stored()) == ("", before)


def test_replacing_one_avatar_at_once_leaves_one_file(learner, picture):
    before = stored()
    content = Picture(picture, (9, 9), None)
    replace = partial(accounts.set_avatar, user=learner, picture=content)
    at_once(*[replace] * THREADS, before_writing=User)
    learner.refresh_from_db()
    assert stored() - before == {learner.avatar.name}


def test_who_is_blocked_twice_at_the_same_moment_is_told_once(learner, administrator):
    block = partial(blocks.block, user=learner, by=administrator, told="Spam")
    at_once(block, block, before_writing=BlockNotice)
    assert Mailing.objects.count() == BlockNotice.objects.count() == 1


@pytest.mark.parametrize("way", ["leave", "are dismissed"])
def test_the_last_two_administrators_do_not_go_together(way):
    ada, bea = UserFactory.create_batch(2, is_superuser=True, is_staff=True)
    changes = {"is_superuser": False}
    acts: dict[str, list[Any]] = {
        "leave": [partial(accounts.erase_account, user=user) for user in (ada, bea)],
        "are dismissed": [
            partial(staff.update_account, user=ada, by=bea, changes=changes),
            partial(staff.update_account, user=bea, by=ada, changes=changes),
        ],
    }
    outcomes = at_once(*acts[way], before_writing=User, refused=(LastAdministrator,))
    assert [type(outcome) for outcome in outcomes].count(LastAdministrator) == 1
    assert User.objects.filter(is_superuser=True, is_active=True).count() == 1


def test_a_class_that_two_enrol_at_once_is_enrolled_and_mailed_once(administrator):
    course = CourseFactory.create(published=True)
    people = UserFactory.create_batch(3)
    text = "\n".join(person.email for person in people)
    enrol = partial(
        enrolling.enrol_list,
        course=course,
        entries=read_addresses(text).entries,
        by=administrator,
        reason="Class 5",
    )
    give = partial(accesses.grant_access, user=people[0], target=course, source=AccessSource.GRANT)
    at_once(enrol, give, enrol, before_writing=Access)
    assert Counter(course.accesses.values_list("user", flat=True)) == {
        person.pk: 1 for person in people
    }
    assert Mailing.objects.filter(kind="access_given").count() == 3


def test_a_course_that_is_deleted_while_a_class_is_enrolled_is_gone(administrator):
    course = CourseFactory.create()
    entries = read_addresses(UserFactory.create().email).entries
    asked: dict[str, Any] = {"course": course, "entries": entries, "by": administrator}
    at_once(
        lambda: enrolling.enrol_list(**asked, reason="Class 5"),
        lambda: authoring.delete_course(course=course, by=administrator),
        before_writing=Access,
        refused=(Course.DoesNotExist,),
    )
    assert not Course.objects.exists()
    assert not Access.objects.exists()

"""Several requests at once: each decides on what is there when its turn comes."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from ninja_jwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from PIL import Image

from people import one_time_links
from people.errors import AccountErased, LastAdministrator
from people.models import BlockReason, User
from people.services import accounts, blocks, passwords, staff
from people.tests.factories import PASSWORD, UserFactory
from project.tests.races import at_once, statuses

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


def test_one_refresh_token_is_exchanged_once(api, learner):
    token = log_in(api, learner).json()["refresh"]
    answers = at_once(*[lambda: refresh(api, token)] * THREADS, before_writing=BlacklistedToken)
    assert statuses(answers) == {200: 1, 401: 7}
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    assert refresh(api, winner.json()["refresh"]).status_code == 200


def test_one_refresh_token_is_given_back_once(api, learner):
    body = {"refresh": log_in(api, learner).json()["refresh"]}
    answers = at_once(
        *[lambda: api(learner).post("auth/logout", body)] * THREADS, before_writing=BlacklistedToken
    )
    assert statuses(answers) == {204: 1, 401: 7}


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
    assert statuses(answers) in ({204: 1, 422: 1}, {204: 1, 401: 1})


def _change(api: Any, user: User) -> None:
    change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert api(user).post("auth/password/change", change).status_code == 204


def _reset_by_link(api: Any, user: User) -> None:
    uid, token = one_time_links.password_reset_link(user).split("/")[-2:]
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
    assert OutstandingToken.objects.count() == (entered.status_code == 200)
    for token in OutstandingToken.objects.values_list("token", flat=True):
        assert refresh(api, token).status_code == 401


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
        staff.appoint_moderator,
        staff.dismiss_moderator,
        partial(staff.update_account, changes={"city": "Atlantis"}),
        accounts.erase_account,
    ],
    ids=["block", "unblock", "appoint", "dismiss", "change", "erase"],
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
    content = ContentFile(picture, name="image.png")
    replace = partial(accounts.set_avatar, user=learner, picture=content)
    at_once(*[replace] * THREADS, before_writing=User)
    learner.refresh_from_db()
    assert stored() - before == {learner.avatar.name}


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

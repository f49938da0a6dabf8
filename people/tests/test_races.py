"""Several requests at once: each decides on what is there when its turn comes."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, connections, transaction
from ninja_jwt.token_blacklist.models import OutstandingToken
from PIL import Image

from people import links
from people.errors import (
    AccountBlocked,
    AccountErased,
    InvalidCredentials,
    InvalidLink,
    InvalidToken,
    LastAdministrator,
)
from people.models import User
from people.services import accounts, administrators, blocks, passwords, sessions, staff
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


def at_once(call: Callable[[int], Any]) -> list[Any]:
    """Call with 0 … 7 in as many threads at the same moment; return what came back or was raised."""
    barrier = Barrier(THREADS)

    def run(number: int) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait()
            return call(number)
        except Exception as error:  # noqa: BLE001 - it is the result
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def counted(responses: list[Any]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


def test_one_refresh_token_is_exchanged_once(api):
    user = UserFactory.create()
    body = {"email": user.email, "password": PASSWORD}
    for _round in range(3):
        token = api(None).post("auth/token", body).json()["refresh"]
        responses = at_once(lambda _n: api(None).post("auth/token/refresh", {"refresh": token}))  # noqa: B023
        assert counted(responses) == {200: 1, 401: 7}
        (winner,) = [response for response in responses if response.status_code == 200]
        again = api(None).post("auth/token/refresh", {"refresh": winner.json()["refresh"]})
        assert again.status_code == 200


def test_one_email_registers_once(api):
    def register(number: int) -> Any:
        email = "anna@school.example"
        spelling = email.upper() if number % 2 else email
        return api(None).post("auth/register", {"email": spelling, "password": PASSWORD})

    responses = at_once(register)
    assert counted(responses) == {201: 1, 409: 7}
    assert User.objects.count() == 1


@pytest.mark.parametrize("kind", ["password/reset", "reactivation"])
def test_one_link_works_once(api, kind):
    user = UserFactory.create(inactive=True)
    make_link = {
        "password/reset": links.password_reset_link,
        "reactivation": links.reactivation_link,
    }[kind]
    uid, token = make_link(user).split("/")[-2:]

    def confirm(number: int) -> Any:
        body = {"uid": uid, "token": token}
        if kind == "password/reset":
            body["new_password"] = f"another horse battery {number}"
        return api(None).post(f"auth/{kind}/confirm", body)

    responses = at_once(confirm)
    assert counted(responses) == {204: 1, 409: 7}


def test_log_in_while_the_password_changes_leaves_no_token_of_the_old_one(api, settings):
    settings.WEB_THREADS = 2 * THREADS
    user = UserFactory.create()
    change = {"old_password": PASSWORD, "new_password": "another horse battery"}
    caller = api(user)

    def act(number: int) -> Any:
        if number == 0:
            return caller.post("auth/password/change", change)
        return api(None).post("auth/token", {"email": user.email, "password": PASSWORD})

    responses = at_once(act)
    assert responses[0].status_code == 204
    assert set(counted(responses[1:])) <= {200, 401}
    for token in OutstandingToken.objects.values_list("token", flat=True):
        refreshed = api(None).post("auth/token/refresh", {"refresh": token})
        assert refreshed.status_code == 401


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
    answers: list[int] = []

    def log_in(number: int) -> Any:
        body = {"email": users[number].email, "password": PASSWORD}
        response = api(None).post("auth/token", body)
        answers.append(response.status_code)
        if answers.count(429) == THREADS - 3:
            SlowHasher.may_go_on.set()
        return response

    responses = at_once(log_in)

    assert counted(responses) == {200: 3, 429: 5}
    assert {answer.headers.get("Retry-After") for answer in responses} == {None, "1"}
    assert SlowHasher.most == 1
    # Who was turned away has lost none of the attempts of their address.
    assert {log_in(number).status_code for number in range(THREADS - 3)} == {200}


def test_the_last_two_administrators_do_not_leave_together():
    ada, bea = UserFactory.create_batch(2, is_superuser=True)
    results = at_once(lambda number: accounts.erase_account(user=(ada, bea)[number % 2]))
    assert sum(isinstance(result, LastAdministrator) for result in results) >= 1
    assert User.objects.filter(is_superuser=True, is_active=True).count() == 1


def test_replacing_one_avatar_at_once_leaves_one_file():
    user = UserFactory.create()
    encoded = BytesIO()
    Image.new("RGB", (4, 4)).save(encoded, "PNG")
    before = stored()
    results = at_once(
        lambda _n: accounts.set_avatar(
            user=user, picture=ContentFile(encoded.getvalue(), name="image.png")
        )
    )
    assert all(isinstance(result, User) for result in results), results
    user.refresh_from_db()
    assert stored() - before == {str(user.avatar.name).removeprefix("avatars/")}


def stored() -> set[str]:
    return (
        set(default_storage.listdir("avatars")[1]) if default_storage.exists("avatars") else set()
    )


def test_guessing_at_once_gains_nothing(api, settings):
    settings.WEB_THREADS = 2 * THREADS
    settings.THROTTLE_LOGIN = "3/min"
    body = {"email": "anna@school.example", "password": "wrong"}
    responses = at_once(lambda _n: api(None).post("auth/token", body))
    assert counted(responses) == {401: 3, 429: 5}


# --- What a lock is for, for certain -----------------------------------------------------------


def needs_postgresql(test: Any) -> Any:
    skip = pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite locks the whole database"
    )
    return pytest.mark.postgresql(skip(test))


def overtaken(change: Callable[[], Any], call: Callable[[], Any]) -> Any:
    """Change something, and before that is committed let somebody else call; they have to wait.
    Return what they got or what was raised."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001 - it is the result
            results.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=run)
    with transaction.atomic():
        change()
        thread.start()
        while thread.is_alive() and not somebody_waits_for_a_lock():
            thread.join(0.01)
        waited = thread.is_alive()
    thread.join()
    assert waited, f"it did not wait: {results}"
    return results[0]


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees it once otherwise
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def block(user: User) -> None:
    blocks.block(user=user, by=None)


def erase(user: User) -> None:
    accounts.erase_account(user=User.objects.get(pk=user.pk))


def set_password(user: User) -> None:
    passwords.change_password(
        user=User.objects.get(pk=user.pk), old_password=PASSWORD, new_password="third horse battery"
    )


def promote(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=True)


def log_in(user: User, _by: User) -> Any:
    return sessions.log_in(email=user.email, password=PASSWORD)


def change_password(user: User, _by: User) -> Any:
    return passwords.change_password(user=user, old_password=PASSWORD, new_password="another long")


def set_avatar(user: User, _by: User) -> Any:
    return accounts.set_avatar(user=user, picture=None)


@needs_postgresql
@pytest.mark.parametrize(
    ("change", "call", "expected"),
    [
        (block, log_in, AccountBlocked),
        (set_password, log_in, InvalidCredentials),
        (set_password, change_password, ValidationError),
        (erase, change_password, ValidationError),
        (block, set_avatar, InvalidToken),
        (erase, lambda user, _by: accounts.update_profile(user=user, changes={}), InvalidToken),
        (erase, lambda user, _by: accounts.erase_account(user=user), InvalidToken),
        (erase, lambda user, by: accounts.erase_account(user=user, by=by), AccountErased),
        (erase, lambda user, by: blocks.block(user=user, by=by), AccountErased),
        (erase, lambda user, by: blocks.unblock(user=user, by=by), AccountErased),
        (erase, lambda user, by: staff.appoint_moderator(user=user, by=by), AccountErased),
        (erase, lambda user, by: staff.dismiss_moderator(user=user, by=by), AccountErased),
    ],
)
def test_who_has_to_wait_for_an_account_goes_by_what_it_has_become(change, call, expected):
    user, by = UserFactory.create(), UserFactory.create(is_superuser=True)
    moderators = Group.objects.create(name="moderators")
    result = overtaken(lambda: change(user), lambda: call(User.objects.get(pk=user.pk), by))
    assert isinstance(result, expected), result
    assert not moderators.user_set.exists()
    user.refresh_from_db()
    assert user.token_version == 1


@needs_postgresql
@pytest.mark.parametrize("end", [block, erase, set_password])
def test_a_refresh_token_that_waits_is_refused_if_its_account_was_closed(end):
    user = UserFactory.create()
    token = sessions.log_in(email=user.email, password=PASSWORD).refresh
    result = overtaken(lambda: end(user), lambda: sessions.refresh(token=token))
    assert isinstance(result, InvalidToken)
    assert OutstandingToken.objects.count() == 1


@needs_postgresql
def test_a_refresh_token_that_waits_for_itself_is_refused():
    user = UserFactory.create()
    token = sessions.log_in(email=user.email, password=PASSWORD).refresh
    result = overtaken(lambda: sessions.refresh(token=token), lambda: sessions.refresh(token=token))
    assert isinstance(result, InvalidToken)
    assert OutstandingToken.objects.count() == 2


@needs_postgresql
@pytest.mark.parametrize("kind", ["password_reset", "reactivation"])
def test_a_link_that_waits_for_itself_is_refused(kind):
    user = UserFactory.create(inactive=True)

    def use(link: str) -> Any:
        uid, token = link.split("/")[-2:]
        if kind == "reactivation":
            return blocks.confirm_reactivation(uid=uid, token=token)
        return passwords.confirm_password_reset(uid=uid, token=token, new_password="another long")

    link = getattr(links, f"{kind}_link")(user)
    result = overtaken(lambda: use(link), lambda: use(link))
    assert isinstance(result, InvalidLink)


@needs_postgresql
def test_support_that_waits_changes_nobody_who_became_an_administrator():
    user, by = UserFactory.create(), UserFactory.create(is_staff=True)
    by.user_permissions.add(Permission.objects.get(codename="change_user"))
    result = overtaken(
        lambda: promote(user),
        lambda: staff.update_account(user=user, by=by, changes={"email": "taken@over.example"}),
    )
    assert isinstance(result, PermissionDenied)


@needs_postgresql
def test_a_password_set_by_a_command_that_waits_ends_the_tokens_of_its_time_too():
    user = UserFactory.create(is_superuser=True)
    result = overtaken(
        lambda: block(user),
        lambda: administrators.reset_password(user=user, password="another horse battery"),
    )
    assert isinstance(result, User)
    user.refresh_from_db()
    assert (user.token_version, user.is_active) == (2, False)


@needs_postgresql
@pytest.mark.parametrize(
    "leave",
    [
        lambda user: accounts.erase_account(user=user),
        lambda user: staff.update_account(user=user, by=user, changes={"is_superuser": False}),
    ],
)
def test_the_administrator_who_waits_for_the_other_to_leave_stays(leave):
    ada, bea = UserFactory.create_batch(2, is_superuser=True)
    assert isinstance(overtaken(lambda: leave(ada), lambda: leave(bea)), LastAdministrator)
    assert User.objects.get(is_superuser=True, is_active=True) == bea

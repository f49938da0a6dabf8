"""Several requests at once: each decides on what is there when its turn comes."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier, Event
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, connections
from ninja_jwt.token_blacklist.models import OutstandingToken
from PIL import Image

from people import links
from people.errors import LastAdministrator
from people.models import User
from people.services import accounts
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

"""How often the open operations may be called."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache, caches
from django.utils import timezone

from people.models import User
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

NEW = "another horse battery"


@pytest.fixture(autouse=True)
def _few_calls(settings):
    settings.THROTTLE_LOGIN = "3/min"
    settings.THROTTLE_REGISTER = "3/min"
    settings.THROTTLE_RESET = "3/min"
    settings.NINJA_NUM_PROXIES = 1


def call(api, path, body, address="192.0.2.1"):
    return api(None).post(f"auth/{path}", body, headers={"X-Forwarded-For": address})


def log_in(api, email, password=PASSWORD, address="192.0.2.1"):
    return call(api, "token", {"email": email, "password": password}, address)


def statuses(responses):
    return [response.status_code for response in responses]


def address(number):
    return f"192.0.2.{number}"


BODIES = {
    "register": lambda email: {"email": email, "password": PASSWORD},
    "token": lambda email: {"email": email, "password": "wrong"},
    "password/reset": lambda email: {"email": email},
    "reactivation": lambda email: {"email": email},
    "password/reset/confirm": lambda email: {"uid": email, "token": "x", "new_password": NEW},
    "reactivation/confirm": lambda email: {"uid": email, "token": "x"},
}


@pytest.mark.parametrize("path", BODIES)
def test_one_address_has_so_many_calls(api, path):
    responses = [call(api, path, BODIES[path](f"p{n}@school.example")) for n in range(4)]
    assert 429 not in statuses(responses[:3])
    last = responses[3]
    assert (last.status_code, last.json()["code"]) == (429, "throttled")
    assert 1 <= int(last["Retry-After"]) <= 60
    elsewhere = call(api, path, BODIES[path]("p9@school.example"), address(9))
    assert elsewhere.status_code != 429


@pytest.mark.parametrize("path", BODIES)
def test_one_account_has_so_many_calls_from_all_addresses(api, path):
    body = BODIES[path]("anna@school.example")
    responses = [call(api, path, body, address(number)) for number in range(1, 5)]
    assert 429 not in statuses(responses[:3])
    assert responses[3].status_code == 429
    if "confirm" not in path:
        shouting = body | {"email": " ANNA@School.Example "}
        assert call(api, path, shouting, address(7)).status_code == 429


def test_a_new_period_begins_after_the_time_to_wait(api):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _call in range(3):
            log_in(api, "anna@school.example", "wrong")
        clock.shift(timedelta(seconds=20))
        refused = log_in(api, "anna@school.example", "wrong")
        assert refused["Retry-After"] == "40"
        clock.shift(timedelta(seconds=41))
        assert log_in(api, "anna@school.example", "wrong").status_code == 401


def test_logging_in_often_locks_nobody_out(api, learner):
    responses = [log_in(api, learner.email, address=address(number)) for number in range(1, 9)]
    assert statuses(responses) == [200] * 8


def test_attack_from_many_addresses_does_not_keep_the_owner_out(api, learner):
    home = "198.51.100.7"
    assert log_in(api, learner.email, address=home).status_code == 200
    attack = [log_in(api, learner.email, "wrong", address(number)) for number in range(1, 6)]
    assert statuses(attack) == [401, 401, 401, 429, 429]
    assert log_in(api, learner.email, address=home).status_code == 200
    assert log_in(api, learner.email, address="203.0.113.1").status_code == 429


def test_owner_under_attack_gets_in_by_a_link_from_anywhere(api, learner, link_by_mail):
    for number in range(1, 5):
        log_in(api, learner.email, "wrong", address(number))
    link = link_by_mail("password/reset", learner) | {"new_password": NEW}
    abroad = "203.0.113.1"
    assert call(api, "password/reset/confirm", link, abroad).status_code == 204
    assert log_in(api, learner.email, NEW, abroad).status_code == 200


def test_known_address_has_its_own_limit(api, learner):
    home = "198.51.100.7"
    log_in(api, learner.email, address=home)
    wrong = [log_in(api, learner.email, "wrong", home) for _attempt in range(3)]
    assert statuses(wrong) == [401, 401, 429]


def test_old_password_can_not_be_guessed(api, learner):
    body = {"old_password": "wrong", "new_password": NEW}
    responses = [api(learner).post("auth/password/change", body) for _attempt in range(4)]
    assert statuses(responses) == [422, 422, 422, 429]


def test_without_proxies_a_made_up_address_is_not_believed(api, settings):
    settings.NINJA_NUM_PROXIES = 0
    responses = [
        log_in(api, f"p{number}@school.example", address=address(number)) for number in range(4)
    ]
    assert statuses(responses) == [401, 401, 401, 429]


def test_only_what_our_proxy_wrote_is_believed(api):
    responses = [
        log_in(api, f"p{number}@school.example", address=f"{address(number)}, 203.0.113.5")
        for number in range(4)
    ]
    assert statuses(responses) == [401, 401, 401, 429]


def test_one_subscriber_of_ipv6_is_one_address(api):
    responses = [
        log_in(api, f"p{number}@school.example", address=f"2001:db8:1:2::{number}")
        for number in range(4)
    ]
    assert statuses(responses) == [401, 401, 401, 429]
    assert log_in(api, "p@school.example", address="2001:db8:1:3::1").status_code == 401


@pytest.mark.parametrize("odd", ["", "x", "unknown", "é" * 500, "1.2.3.4:5678", "a b\tc"])
def test_odd_addresses_are_no_failure(api, odd):
    assert log_in(api, "anna@school.example", address=odd).status_code == 401


def test_cache_tells_nobodys_email_or_address(api, learner):
    log_in(api, learner.email)
    keys = " ".join(caches["default"]._cache)  # type: ignore[attr-defined]
    assert "throttle" in keys
    assert learner.email not in keys
    assert "192.0.2" not in keys


def test_throttled_registration_opens_no_account(api):
    for number in range(5):
        call(api, "register", BODIES["register"](f"p{number}@school.example"))
    assert User.objects.count() == 3


def test_unknown_account_is_throttled_as_a_known_one(api):
    UserFactory.create(email="known@school.example")
    for email in ("known@school.example", "unknown@school.example"):
        cache.clear()
        responses = [log_in(api, email, "wrong", address(number)) for number in range(1, 5)]
        assert statuses(responses) == [401, 401, 401, 429]

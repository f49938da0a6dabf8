"""How often the open operations may be called."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache, caches
from django.utils import timezone

from people import login_queue
from people.models import User
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

NEW = "another horse battery"


@pytest.fixture(autouse=True)
def _few_calls(settings):
    settings.THROTTLE_LOGIN = "3/min"
    settings.THROTTLE_REGISTER = "4/min"
    settings.THROTTLE_RESET = "5/min"
    settings.NINJA_NUM_PROXIES = 1


def call(api, path, body, address="192.0.2.1"):
    return api(None).post(f"auth/{path}", body, headers={"X-Forwarded-For": address})


def log_in(api, email, password=PASSWORD, address="192.0.2.1"):
    return call(api, "token", {"email": email, "password": password}, address)


def statuses(responses):
    return [response.status_code for response in responses]


def address(number):
    return f"192.0.2.{number}"


# What is called, how often it may be, and which count it shares.
CALLS = {
    "register": (4, "register"),
    "token": (3, "log-in"),
    "password/reset": (5, "mail"),
    "reactivation": (5, "mail"),
    "password/reset/confirm": (3, "link"),
    "reactivation/confirm": (3, "link"),
}


def body_of(path, whose):
    return {
        "register": {"email": whose, "password": PASSWORD},
        "token": {"email": whose, "password": "wrong"},
        "password/reset": {"email": whose},
        "reactivation": {"email": whose},
        "password/reset/confirm": {"uid": whose, "token": "x", "new_password": NEW},
        "reactivation/confirm": {"uid": whose, "token": "x"},
    }[path]


@pytest.mark.parametrize("path", CALLS)
def test_one_address_has_so_many_calls_of_a_kind(api, path):
    limit, kind = CALLS[path]
    responses = [
        call(api, path, body_of(path, f"p{number}@school.example")) for number in range(limit + 1)
    ]
    assert 429 not in statuses(responses[:limit])
    last = responses[limit]
    assert (last.status_code, last.json()["code"]) == (429, "throttled")
    assert 1 <= int(last["Retry-After"]) <= 60
    for other, (_limit, other_kind) in CALLS.items():
        again = call(api, other, body_of(other, "p9@school.example"))
        assert (again.status_code == 429) is (other_kind == kind)
    elsewhere = call(api, path, body_of(path, "p9@school.example"), address(9))
    assert elsewhere.status_code != 429


@pytest.mark.parametrize("path", CALLS)
def test_one_account_has_so_many_calls_of_a_kind_from_all_addresses(api, path):
    limit, kind = CALLS[path]
    body = body_of(path, "anna@school.example")
    responses = [call(api, path, body, address(number)) for number in range(limit + 1)]
    assert 429 not in statuses(responses[:limit])
    assert responses[limit].status_code == 429
    for number, (other, (_limit, other_kind)) in enumerate(CALLS.items()):
        again = call(api, other, body_of(other, "anna@school.example"), address(20 + number))
        assert (again.status_code == 429) is (other_kind == kind)
    if kind != "link":
        shouting = body | {"email": " ANNA@School.Example "}
        assert call(api, path, shouting, address(7)).status_code == 429
    for other_body in (body_of(path, "bea@school.example"), body | {"token": "y"}):
        if kind == "link" or other_body["email"] != body["email"]:
            assert call(api, path, other_body, address(8)).status_code != 429


@pytest.mark.parametrize(("rate", "seconds"), [("3/min", 60), ("3/h", 3600), ("3/d", 86_400)])
def test_a_period_begins_with_the_first_call_and_ends_when_it_is_over(api, settings, rate, seconds):
    settings.THROTTLE_LOGIN = rate
    with time_machine.travel(timezone.now(), tick=False) as clock:

        def fail(whose="anna@school.example"):
            return log_in(api, whose, "wrong", address=whose)

        for _call in range(2):
            assert fail().status_code == 401
        clock.shift(timedelta(seconds=seconds - 20))
        assert statuses([fail(), fail(), fail("bea@school.example")]) == [401, 429, 401]
        assert fail()["Retry-After"] == "20"
        clock.shift(timedelta(seconds=19.5))
        assert fail()["Retry-After"] == "1"
        clock.shift(timedelta(seconds=0.5))
        assert statuses([fail() for _call in range(4)]) == [401, 401, 401, 429]


def test_a_success_gives_one_attempt_back(api, learner, stranger):
    """Each from an address of its own, or the second would be known there."""
    attempts = ["wrong", "wrong", PASSWORD, "wrong", PASSWORD]
    responses = [
        log_in(api, learner.email, password, address(number))
        for number, password in enumerate(attempts)
    ]
    assert statuses(responses) == [401, 401, 200, 401, 429]
    assert log_in(api, stranger.email, address=address(9)).status_code == 200


def test_an_attempt_may_end_after_its_period(api, learner, meanwhile):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        with meanwhile(lambda: clock.shift(timedelta(minutes=1))):
            assert log_in(api, learner.email).status_code == 200
        wrong = [log_in(api, learner.email, "wrong", address(number)) for number in range(2, 6)]
    assert statuses(wrong) == [401, 401, 401, 429]


def test_logging_in_often_locks_nobody_out(api, learner):
    responses = [log_in(api, learner.email, address=address(number)) for number in range(1, 9)]
    assert statuses(responses) == [200] * 8


def test_attack_from_many_addresses_does_not_keep_the_owner_out(api, learner):
    home = "198.51.100.7"
    assert log_in(api, learner.email.upper(), address=home).status_code == 200
    attack = [log_in(api, learner.email, "wrong", address(number)) for number in range(1, 6)]
    assert statuses(attack) == [401, 401, 401, 429, 429]
    assert log_in(api, learner.email, address=home).status_code == 200
    for elsewhere in ("203.0.113.1", address(1)):
        assert log_in(api, learner.email, address=elsewhere).status_code == 429


def test_the_address_of_one_person_is_not_known_for_another(api, learner, stranger):
    home = "198.51.100.7"
    assert log_in(api, learner.email, address=home).status_code == 200
    for number in range(1, 4):
        log_in(api, stranger.email, "wrong", address(number))
    assert log_in(api, stranger.email, address=home).status_code == 429
    assert log_in(api, learner.email, address=home).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-1, 200), (0, 429)])
def test_an_address_is_known_for_thirty_days(api, learner, seconds, status):
    home = "198.51.100.7"
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert log_in(api, learner.email, address=home).status_code == 200
        clock.shift(timedelta(days=30, seconds=seconds))
        for number in range(1, 4):
            log_in(api, learner.email, "wrong", address(number))
        assert log_in(api, learner.email, address=home).status_code == status


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


def test_old_password_can_not_be_guessed(api, learner, stranger):
    def change(user, old):
        user.refresh_from_db()
        body = {"old_password": old, "new_password": NEW}
        return api(user).post("auth/password/change", body).status_code

    assert change(learner, PASSWORD) == 200  # no failure
    assert [change(learner, "wrong") for _attempt in range(4)] == [422, 422, 422, 429]
    assert change(learner, NEW) == 429
    learner.refresh_from_db()
    assert learner.token_version == 1
    assert change(stranger, PASSWORD) == 200
    assert log_in(api, learner.email, NEW).status_code == 200


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
        log_in(api, f"p{number}@school.example", address=f"2001:db8:1:2:{0x5555 * number:x}::1")
        for number in range(4)
    ]
    assert statuses(responses) == [401, 401, 401, 429]
    assert log_in(api, "p@school.example", address="2001:db8:1:3::1").status_code == 401


def test_an_address_in_the_form_of_ipv6_is_the_one_of_ipv4(api):
    forms = ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "192.0.2.1"]
    responses = [
        log_in(api, f"p{number}@school.example", address=form) for number, form in enumerate(forms)
    ]
    assert statuses(responses) == [401, 401, 401, 429]
    assert log_in(api, "p@school.example", address="::ffff:192.0.2.2").status_code == 401


@pytest.mark.parametrize("odd", ["", "x", "unknown", "é" * 500, "1.2.3.4:5678", "a b\tc"])
def test_odd_addresses_are_counted_as_they_are(api, odd):
    responses = [log_in(api, f"p{number}@school.example", address=odd) for number in range(4)]
    assert statuses(responses) == [401, 401, 401, 429]
    assert log_in(api, "p9@school.example", address="another").status_code == 401


def test_cache_tells_nobodys_email_or_address(api, learner):
    log_in(api, learner.email)
    keys = " ".join(caches["default"]._cache)  # type: ignore[attr-defined]
    assert "throttle" in keys
    assert learner.email not in keys
    assert "192.0.2" not in keys


def test_throttled_registration_opens_no_account(api):
    for number in range(6):
        call(api, "register", body_of("register", f"p{number}@school.example"))
    assert User.objects.count() == 4


def test_unknown_account_is_throttled_as_a_known_one(api):
    UserFactory.create(email="known@school.example")
    for email in ("known@school.example", "unknown@school.example"):
        cache.clear()
        responses = [log_in(api, email, "wrong", address(number)) for number in range(1, 5)]
        assert statuses(responses) == [401, 401, 401, 429]


@pytest.mark.parametrize(("threads", "places"), [(0, 1), (1, 1), (2, 1), (4, 3)])
def test_so_many_wait_for_their_password_to_be_checked_and_the_rest_come_back(
    api, settings, learner, threads, places
):
    settings.WEB_THREADS = threads
    for _time in range(2):  # places are given back, by those who fail too
        with ExitStack() as waiting:
            for _place in range(places):
                waiting.enter_context(login_queue.place_in_queue())
            refused = log_in(api, learner.email)
            assert (refused.status_code, refused["Retry-After"]) == (429, "1")
        assert log_in(api, "nobody@school.example", "wrong").status_code == 401
    assert log_in(api, learner.email, address=address(2)).status_code == 200

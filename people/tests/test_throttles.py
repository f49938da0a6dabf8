"""How often the open operations may be called."""

import logging
import re
import shutil
import subprocess
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from queue import Queue
from threading import Thread, Timer

import pytest
import time_machine
from django.core.cache import cache, caches
from django.utils import timezone

from conftest import require_or_skip
from people import login_queue, throttles, tokens
from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from people.throttles import UNKNOWN
from project.common.errors import Throttled
from project.common.logging import JSONFormatter

pytestmark = pytest.mark.django_db

NEW = "another horse battery"
OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


@pytest.fixture(autouse=True)
def _few_calls(settings):
    settings.THROTTLE_LOGIN = "3/min"
    settings.THROTTLE_REGISTER = "4/min"
    settings.THROTTLE_RESET = "5/min"
    settings.PROXIES = 1


def call(api, path, body, address="192.0.2.1"):
    return api(None).post(f"auth/{path}", body, headers={"X-Forwarded-For": address})


def log_in(api, email, password=PASSWORD, address="192.0.2.1"):
    return call(api, "token", {"email": email, "password": password}, address)


def statuses(responses):
    return [response.status_code for response in responses]


def address(number):
    return f"192.0.2.{number}"


# As many people may share an address.
SHARED = throttles.SHARED

# What is called, how often it may be for one account, and which count it shares.
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
    limit *= SHARED
    responses = [
        call(api, path, body_of(path, f"p{number}@school.example")) for number in range(limit + 1)
    ]
    assert 429 not in statuses(responses[:limit])
    last = responses[limit]
    assert (last.status_code, last.json()["code"]) == (429, "throttled")
    assert 1 <= int(last["Retry-After"]) <= 60
    for other, (_limit, other_kind) in CALLS.items():
        again = call(api, other, body_of(other, "p99@school.example"))
        assert (again.status_code == 429) is (other_kind == kind)
    elsewhere = call(api, path, body_of(path, "p99@school.example"), address(9))
    assert elsewhere.status_code != 429


@pytest.mark.parametrize("path", CALLS.keys() - {"token"})
def test_one_account_has_so_many_calls_of_a_kind_from_all_addresses(api, path):
    limit, kind = CALLS[path]
    body = body_of(path, "anna@school.example")
    responses = [call(api, path, body, address(number)) for number in range(limit + 1)]
    assert 429 not in statuses(responses[:limit])
    assert responses[limit].status_code == 429
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


def test_who_logs_in_without_end_ends_their_oldest_log_ins(api, learner, stranger, monkeypatch):
    monkeypatch.setattr(tokens, "LOG_INS_AT_MOST", 3)
    first, *others = [
        log_in(api, person.email).json() for person in [learner, stranger, *[learner] * 3]
    ]
    for refused, pair in [(True, first), *[(False, other) for other in others]]:
        answer = api(None).post("auth/token/refresh", {"refresh": pair["refresh"]})
        assert answer.status_code == (401 if refused else 200)


def test_successes_are_not_counted(api, learner):
    attempts = ["wrong", "wrong", PASSWORD, PASSWORD, PASSWORD, "wrong", PASSWORD]
    responses = [log_in(api, learner.email, password) for password in attempts]
    assert statuses(responses) == [401, 401, 200, 200, 200, 401, 429]


def test_a_class_behind_one_address_registers_and_logs_in_within_a_minute(api, settings):
    settings.THROTTLE_LOGIN, settings.THROTTLE_REGISTER = "10/min", "20/h"
    for number in range(30):
        email = f"pupil{number}@school.example"
        body = {"email": email, "password": PASSWORD}
        assert call(api, "register", body).status_code == 201
        assert log_in(api, email, "mistyped").status_code == 401
        assert log_in(api, email).status_code == 200


def test_one_attacker_guesses_one_password_no_more_than_the_limit(api, learner, stranger):
    wrong = [log_in(api, learner.email.upper(), f"guess {number}") for number in range(60)]
    assert statuses(wrong) == [401] * 3 + [429] * 57
    assert 1 <= int(wrong[-1]["Retry-After"]) <= 60
    # What was refused is held against nobody else behind this address.
    assert log_in(api, stranger.email).status_code == 200


def test_one_attacker_does_not_try_a_password_on_everybody(api, learner):
    wrong = [log_in(api, f"p{number}@school.example", "123456") for number in range(60)]
    assert statuses(wrong) == [401] * 15 + [429] * 45


def test_an_attempt_may_end_after_its_period(api, learner, meanwhile):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        with meanwhile(lambda: clock.shift(timedelta(minutes=1))):
            assert log_in(api, learner.email).status_code == 200
        wrong = [log_in(api, learner.email, "wrong") for _attempt in range(4)]
    assert statuses(wrong) == [401, 401, 401, 429]


def attack_from_everywhere(api, email):
    return [log_in(api, email, "wrong", address(number)) for number in range(1, 60)]


def test_guesses_from_elsewhere_do_not_keep_the_owner_out(api, learner):
    attack_from_everywhere(api, learner.email)
    assert log_in(api, learner.email, address="198.51.100.7").status_code == 200
    attack_from_everywhere(api, learner.email)
    # Nor where they are not known, and mistype it once: then it takes seconds.
    abroad = "203.0.113.1"
    assert log_in(api, learner.email, "mistyped", address=abroad).status_code == 401
    slowed = log_in(api, learner.email, address=abroad)
    assert (slowed.status_code, slowed["Retry-After"]) == (429, "5")
    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        assert log_in(api, learner.email, address=abroad).status_code == 200
    # Where they are known nothing slows them down.
    for password, status in (("mistyped", 401), (PASSWORD, 200)):
        assert log_in(api, learner.email, password, "198.51.100.7").status_code == status


def test_the_address_of_one_person_is_not_known_for_another(api, learner, stranger):
    home = "198.51.100.7"
    assert log_in(api, learner.email, address=home).status_code == 200
    attack_from_everywhere(api, stranger.email)
    assert log_in(api, stranger.email, "wrong", address=home).status_code == 401
    assert log_in(api, stranger.email, address=home).status_code == 429
    assert log_in(api, learner.email, address=home).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-1, 200), (0, 429)])
def test_an_address_is_known_for_thirty_days(api, learner, seconds, status):
    home = "198.51.100.7"
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert log_in(api, learner.email, address=home).status_code == 200
        clock.shift(timedelta(days=30, seconds=seconds))
        attack_from_everywhere(api, learner.email)
        assert log_in(api, learner.email, "wrong", address=home).status_code == 401
        assert log_in(api, learner.email, address=home).status_code == status


def test_who_set_a_password_by_a_link_is_known_there(api, learner, link_by_mail):
    link = link_by_mail("password/reset", learner) | {"new_password": NEW}
    attack_from_everywhere(api, learner.email)
    abroad = "203.0.113.1"
    assert call(api, "password/reset/confirm", link, abroad).status_code == 204
    for password, status in (("mistyped", 401), (NEW, 200)):
        assert log_in(api, learner.email, password, abroad).status_code == status


def test_old_password_can_not_be_guessed(api, learner, stranger):
    def change(user, old):
        user.refresh_from_db()
        body = {"old_password": old, "new_password": NEW}
        return api(user).post("auth/password/change", body).status_code

    assert change(learner, PASSWORD) == 200
    assert [change(learner, "wrong") for _attempt in range(3)] == [422, 422, 429]
    assert change(learner, NEW) == 429
    learner.refresh_from_db()
    assert learner.token_version == 1
    assert change(stranger, PASSWORD) == 200
    assert log_in(api, learner.email, NEW).status_code == 200


def guesses_from(api, learner, addresses):
    return statuses([log_in(api, learner.email, "wrong", each) for each in addresses])


SAME = [401, 401, 401, 429]


def test_without_proxies_a_made_up_address_is_not_believed(api, settings, learner):
    settings.PROXIES = 0
    assert guesses_from(api, learner, map(address, range(4))) == SAME


def test_only_what_our_proxy_wrote_is_believed(api, learner):
    made_up = [f"{address(number)}, 203.0.113.5" for number in range(4)]
    assert guesses_from(api, learner, made_up) == SAME


def test_of_two_proxies_the_one_that_is_passed_by_makes_no_new_address(api, settings, learner):
    settings.PROXIES = 2
    through_both = [f"{address(number)}, 203.0.113.5, 203.0.113.6" for number in range(2)]
    assert guesses_from(api, learner, ["203.0.113.5", *through_both, "203.0.113.5"]) == SAME


def test_one_subscriber_of_ipv6_is_one_address(api, learner, stranger):
    own = [f"2001:db8:1:2:{0x5555 * number:x}::1" for number in range(4)]
    assert guesses_from(api, learner, own) == SAME
    assert log_in(api, learner.email, "wrong", "2001:db8:1:3::1").status_code == 401


def test_one_network_of_ipv6_guesses_four_times_as_much_as_a_subscriber(api):
    responses = [
        log_in(api, f"p{number}@school.example", "wrong", f"2001:db8:1:{0x400 * number:x}::1")
        for number in range(61)
    ]
    assert statuses(responses) == [401] * 60 + [429]
    assert log_in(api, "p@school.example", "wrong", "2001:db8:2::1").status_code == 401


@pytest.mark.parametrize(
    "forms",
    [
        ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "[::FFFF:192.0.2.1]:443"],
        ["192.0.2.1:1", "192.0.2.1:65535", " 192.0.2.1 ", '"192.0.2.1:80"'],
        ["2001:DB8::1", "2001:db8:0:0::1", "[2001:db8::1]:5", "2001:db8::1%eth0"],
        ["", "x", "unknown", "192.000.002.001"],
        ["é" * 500, "a b\tc", "300.1.1.1", "::g"],
    ],
)
def test_ports_and_spellings_make_no_new_address(api, learner, forms):
    assert guesses_from(api, learner, forms) == SAME
    assert log_in(api, learner.email, "wrong", "198.51.100.1").status_code == 401


def test_cache_tells_nobodys_email_or_address(api, learner):
    log_in(api, learner.email)
    keys = " ".join(caches["default"]._cache)  # type: ignore[attr-defined]
    assert "throttle" in keys
    assert learner.email not in keys
    assert "192.0.2" not in keys


def test_throttled_registration_opens_no_account(api):
    for number in range(4 * SHARED + 2):
        call(api, "register", body_of("register", f"p{number}@school.example"))
    assert User.objects.count() == 4 * SHARED


def test_unknown_account_is_throttled_as_a_known_one(api):
    UserFactory.create(email="known@school.example")
    for email in ("known@school.example", "unknown@school.example"):
        cache.clear()
        responses = [log_in(api, email, "wrong") for _attempt in range(4)]
        assert statuses(responses) == SAME


@pytest.fixture
def taken_places(settings, monkeypatch):
    """Take all places; return what gives them back."""
    settings.WEB_THREADS = 2
    monkeypatch.setattr(login_queue, "PATIENCE", 0.05)
    monkeypatch.setattr(login_queue, "_crowded_until", 0.0)
    with ExitStack() as taken:
        taken.enter_context(login_queue.turn())
        yield taken


def test_who_gets_no_place_comes_back_and_has_not_failed(api, learner, taken_places):
    refused = [log_in(api, learner.email) for _attempt in range(4)]
    assert {(each.status_code, each["Retry-After"]) for each in refused} == {(429, "1")}
    taken_places.close()
    for password, status in (("wrong", 401), (PASSWORD, 200)):
        assert log_in(api, learner.email, password).status_code == status


def test_after_one_who_waited_in_vain_the_next_is_refused_at_once(
    api, learner, taken_places, monkeypatch
):
    assert log_in(api, learner.email).status_code == 429
    monkeypatch.setattr(login_queue, "PATIENCE", 3600)
    assert log_in(api, learner.email).status_code == 429


def test_after_a_second_one_waits_again(api, learner, taken_places, monkeypatch, ticks):
    assert log_in(api, learner.email).status_code == 429
    monkeypatch.setattr(login_queue, "PATIENCE", 60)
    ticks.now += 1
    leaving = Timer(0.05, taken_places.close)
    leaving.start()
    assert log_in(api, learner.email).status_code == 200
    leaving.join()


@pytest.mark.parametrize(("threads", "places"), [(1, 1), (4, 3), (8, 6)])
def test_three_quarters_of_the_threads_wait_for_a_password(settings, taken_places, threads, places):
    settings.WEB_THREADS = threads
    outcomes: Queue[str] = Queue()

    def check():
        try:
            with login_queue.turn():
                outcomes.put("checked")
        except Throttled:
            outcomes.put("refused")

    waiting = [Thread(target=check, daemon=True) for _thread in range(threads)]
    for one in waiting:
        one.start()
    # One place is taken by who is having a password checked.
    refused = [outcomes.get(timeout=10) for _one in range(threads - places + 1)]
    assert set(refused) == {"refused"}
    taken_places.close()
    checked = [outcomes.get(timeout=10) for _one in range(places - 1)]
    assert set(checked) <= {"checked"}
    for one in waiting:
        one.join()
    assert outcomes.empty()


def test_who_finds_no_place_gets_the_next_that_is_free(api, learner, taken_places, monkeypatch):
    monkeypatch.setattr(login_queue, "PATIENCE", 60)
    leaving = Timer(0.1, taken_places.close)
    leaving.start()
    assert log_in(api, learner.email).status_code == 200
    leaving.join()


# --- The admin -----------------------------------------------------------------------------------


def enter_admin(client, email, password, address="192.0.2.1"):
    form = {"username": email, "password": password}
    return client.post("/admin/login/", form, headers={"X-Forwarded-For": address})


def test_the_admin_counts_as_the_api_does_and_with_it(api, client, administrator):
    email = administrator.email
    pages = [enter_admin(client, email, "wrong") for _attempt in range(60)]
    limited = ["Too many attempts" in page.text for page in pages]
    assert limited == [False] * 3 + [True] * 57
    assert "Too many attempts" in enter_admin(client, email, PASSWORD).text
    assert log_in(api, email).status_code == 429
    assert enter_admin(client, email, PASSWORD, address(2)).status_code == 302


def test_the_admin_lets_nobody_in_while_nothing_can_be_counted(client, administrator, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:9",
        }
    }
    page = enter_admin(client, administrator.email, PASSWORD)
    assert "Nobody can log in at the moment" in page.text


# --- What the log tells -----------------------------------------------------------------------------


def test_log_ins_are_logged_with_the_address_of_the_client(api, client, administrator, caplog):
    caplog.set_level(logging.INFO, "people.throttles")
    for password in (PASSWORD, "wrong", "wrong", "wrong", "wrong"):
        log_in(api, administrator.email, password, "[2001:DB8::1]:4711")
    enter_admin(client, administrator.email, PASSWORD)
    enter_admin(client, administrator.email, "wrong")
    assert caplog.messages == [
        "Log-in accepted from 2001:db8::1",
        *["Log-in refused from 2001:db8::1"] * 3,
        "Log-in throttled from 2001:db8::1",
        "Log-in accepted from 192.0.2.1",
        "Log-in refused from 192.0.2.1",
    ]


def documented_filter():
    (block,) = re.findall(
        r"```ini\n# /etc/fail2ban/filter.d/parta.conf\n(.*?)```", OPERATIONS, re.DOTALL
    )
    return block


def test_fail2ban_reads_the_log(tmp_path, learner):
    program = shutil.which("fail2ban-regex")
    require_or_skip(program, "fail2ban")
    words = ["accepted", "refused", "throttled", "refused"]
    addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", UNKNOWN]
    records = [
        logging.makeLogRecord(
            {"name": "people.throttles", "levelname": "WARNING", "request_id": "-", "msg": message}
        )
        for message in (
            *(f"Log-in {word} from {each}" for word, each in zip(words, addresses, strict=True)),
            'x "message": "Log-in refused from 192.0.2.9"',
        )
    ]
    log, conf = tmp_path / "log", tmp_path / "parta.conf"
    log.write_text("".join(f"{JSONFormatter().format(record)}\n" for record in records))
    conf.write_text(documented_filter())
    result = subprocess.run(
        [str(program), "--print-all-matched", log, conf], capture_output=True, text=True, check=True
    )
    matched = result.stdout.partition("Matched line(s)")[2].partition("Missed")[0]
    assert "2 matched, 3 missed" in result.stdout, result.stdout
    assert "192.0.2.2" in matched
    assert "2001:db8::1" in matched

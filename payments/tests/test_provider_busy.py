"""A silent Stripe: few wait for it, the others are told to come back, and it is left alone for a
while."""

import time
from collections.abc import Callable
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings

from payments.models import Payment
from payments.provider import asking, limits, stripe
from payments.provider.types import ProviderBusy, ProviderUnavailable
from payments.tests.sandbox import ControlledServer
from payments.tests.test_provider_down import CALLS, Hostile, hostile
from people.models import User
from project.common import breaker

__all__ = ["hostile"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def silent(hostile: Hostile, stripe_settings: Settings) -> Hostile:
    hostile.behaviour = "drop"
    for _number in range(limits.SILENT_AT_MOST):
        with pytest.raises(ProviderUnavailable):
            stripe.retrieve_session("cs_test_1")
    hostile.keys.clear()
    return hostile


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + seconds)
    monkeypatch.setattr(breaker, "time", clock)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_after_some_silence_nothing_is_asked(silent: Hostile, call: Callable[[], object]) -> None:
    with pytest.raises(ProviderBusy) as refused:
        call()
    assert not silent.keys
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= limits.PAUSE_SECONDS


def test_after_the_pause_one_call_tries_and_an_answer_opens_for_all(
    silent: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, limits.PAUSE_SECONDS + 1)
    with pytest.raises(ProviderUnavailable):
        stripe.retrieve_session("cs_test_1")
    tries = len(silent.keys)
    assert tries > 0
    with pytest.raises(ProviderBusy):  # it was silent again
        stripe.retrieve_session("cs_test_1")
    assert len(silent.keys) == tries
    later(monkeypatch, 2 * limits.PAUSE_SECONDS + 2)
    silent.behaviour = "answer"
    for _number in range(3):  # no answer that says much, but one
        with pytest.raises(ProviderUnavailable) as failed:
            stripe.retrieve_session("cs_test_1")
        assert not isinstance(failed.value, ProviderBusy)


def test_answers_between_silences_keep_it_open(hostile: Hostile) -> None:
    for behaviour in ["drop", "drop", "answer"] * 3:
        hostile.behaviour = behaviour
        with pytest.raises(ProviderUnavailable) as failed:
            stripe.retrieve_session("cs_test_1")
        assert not isinstance(failed.value, ProviderBusy)


def test_a_buyer_is_told_when_to_come_back_and_nothing_is_lost(
    buy: Callable[..., Any], stripe_sandbox: ControlledServer
) -> None:
    limit = fall_silent(stripe_sandbox)
    assert_come_back(buy())
    limit.breaker.note_answer()
    assert buy().status_code in {200, 201}
    assert Payment.objects.get().session_id


def test_who_asks_about_a_payment_is_told_when_to_come_back(
    api: Any, learner: User, buy: Callable[..., Any], stripe_sandbox: ControlledServer
) -> None:
    path = f"payments/{buy().json()['id']}/status"
    limit = fall_silent(stripe_sandbox)
    assert_come_back(api(learner).get(path))
    limit.breaker.note_answer()
    assert api(learner).get(path).status_code == 200


def fall_silent(stripe_sandbox: ControlledServer) -> limits.CallLimit:
    limit = asking.limit_of(stripe_sandbox.base_url, 50)
    for _number in range(limits.SILENT_AT_MOST):
        limit.breaker.note_silence()
    return limit


def assert_come_back(answer: Any) -> None:
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "payment_provider_busy"
    assert 1 <= int(answer["Retry-After"]) <= 15


def test_who_finds_no_place_is_refused_and_the_others_go_on(
    hostile: Hostile, stripe_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe_settings.STRIPE_CALLS = 2
    monkeypatch.setattr(limits, "WAIT_SECONDS", 0.01)
    hostile.behaviour = "stall"
    ended = Event()

    def ask() -> None:
        with pytest.raises(ProviderUnavailable):
            stripe.retrieve_session("cs_test_1")
        ended.set()

    callers = [Thread(target=ask) for _number in range(2)]
    for caller in callers:
        caller.start()
    while len(hostile.keys) < 2:
        time.sleep(0.01)
    with pytest.raises(ProviderBusy):
        stripe.retrieve_session("cs_test_1")
    assert not ended.is_set()
    assert len(hostile.keys) == 2
    hostile.behaviour = "answer"
    hostile.over.set()
    for caller in callers:
        caller.join()
    with pytest.raises(ProviderUnavailable) as failed:  # there is a place again
        stripe.retrieve_session("cs_test_1")
    assert not isinstance(failed.value, ProviderBusy)

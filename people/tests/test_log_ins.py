"""The record of who logged in, from where, and who was refused."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from people import tasks
from people.models import AdminSession, LogIn, LogInOutcome
from people.models.log_ins import LOG_INS_KEPT
from people.services import blocks
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_own_sessions import IPHONE, enter, log_in

pytestmark = pytest.mark.django_db


def outcomes(user):
    return list(user.log_ins.values_list("door", "outcome"))


def test_log_ins_to_the_api_are_recorded_with_why_they_were_refused(learner):
    log_in(learner, device=IPHONE)
    log_in(learner, password="wrong")
    learner.block("staff")
    learner.save()
    log_in(learner)
    assert outcomes(learner) == [
        ("api", LogInOutcome.BLOCKED),
        ("api", LogInOutcome.WRONG_PASSWORD),
        ("api", LogInOutcome.SUCCEEDED),
    ]
    first = learner.log_ins.last()
    assert (first.address, first.device) == ("203.0.113.7", IPHONE)


def test_log_ins_to_the_admin_are_recorded_with_why_they_were_refused(support, learner):
    enter(support)
    enter(support, password="wrong")
    enter(learner)
    blocked = UserFactory.create(is_staff=True, blocked=True)
    enter(blocked)
    assert outcomes(support) == [
        ("admin", LogInOutcome.WRONG_PASSWORD),
        ("admin", LogInOutcome.SUCCEEDED),
    ]
    assert outcomes(learner) == [("admin", LogInOutcome.NOT_STAFF)]
    assert outcomes(blocked) == [("admin", LogInOutcome.BLOCKED)]


def test_unknown_email_is_written_down_without_it_and_costs_the_same(
    learner, django_assert_num_queries
):
    """As many statements: the time must not tell whether there is an account."""
    stranger = UserFactory.build(email="nobody@school.example")
    for user in (learner, stranger):
        with django_assert_num_queries(3):  # the account; the record; the oldest of too many
            log_in(user, password="wrong")
    assert LogIn.objects.filter(user=None).count() == 1


def test_exchange_of_a_token_is_not_recorded(api, learner):
    pair = log_in(learner).json()
    api(None).post("auth/token/refresh", {"refresh": pair["refresh"]})
    assert LogIn.objects.count() == 1


def test_address_is_the_one_that_throttles_count(learner, settings):
    settings.PROXIES = 1
    body = {"email": learner.email, "password": PASSWORD}
    headers = {"X-Forwarded-For": "192.0.2.1, [2001:DB8::1]:443"}
    Client().post("/api/v1/auth/token", body, content_type="application/json", headers=headers)
    assert LogIn.objects.get().address == "2001:db8::1"


def test_of_one_person_only_the_latest_are_kept(learner, stranger):
    LogIn.objects.bulk_create(
        LogIn(user=learner, at=timezone.now(), door="api", outcome=LogInOutcome.BLOCKED)
        for _each in range(LOG_INS_KEPT)
    )
    log_in(stranger)
    log_in(learner)
    assert learner.log_ins.count() == LOG_INS_KEPT
    assert learner.log_ins.first().outcome == LogInOutcome.SUCCEEDED
    assert stranger.log_ins.count() == 1


def test_schedule_forgets_old_log_ins_and_sessions_that_are_over(moderator, support):
    enter(moderator)
    log_in(moderator)
    now = timezone.now()
    with time_machine.travel(now + timedelta(seconds=settings.SESSION_COOKIE_AGE - 60)):
        tasks.forget_log_ins()
        assert AdminSession.objects.exists()
    with time_machine.travel(now + timedelta(seconds=settings.SESSION_COOKIE_AGE + 60)):
        tasks.forget_log_ins()
        assert not AdminSession.objects.exists()
        assert LogIn.objects.count() == 2
    with time_machine.travel(now + timedelta(days=90, seconds=60)):
        assert tasks.forget_log_ins() == {"log_ins_forgotten": 2, "sessions_forgotten": 0}
    assert not LogIn.objects.exists()


def test_schedule_forgets_sessions_of_who_was_blocked(administrator, support):
    enter(support)
    blocks.block(user=support, by=administrator)
    tasks.forget_log_ins()
    assert not AdminSession.objects.exists()


def test_log_lines_name_no_email(learner, caplog):
    with caplog.at_level("INFO"):
        log_in(learner)
        log_in(learner, password="wrong")
    assert not re.search(r"\S+@\S+", caplog.text)


def test_a_device_of_any_length_is_recorded(learner):
    log_in(learner, device="x" * 5000)
    assert LogIn.objects.get().device == "x" * 300

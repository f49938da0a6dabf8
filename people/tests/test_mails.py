"""Mails about an account: whether they are still due when they are sent, and what they say."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from people.models import BlockReason, User
from people.tests.factories import UserFactory
from project.mail.models import Delivery
from project.mail.services import send_to_one
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2026, 1, 1, 12, tzinfo=UTC)
BLOCKED = {"is_active": False, "blocked_at": LONG_AGO}
ACTIVE = {"is_active": True, "blocked_at": None, "blocked_reason": ""}
STAFF, INACTIVITY, ERASED = (
    BLOCKED | {"blocked_reason": reason}
    for reason in (BlockReason.STAFF, BlockReason.INACTIVITY, BlockReason.ERASED)
)
WARNED = {"last_login": LONG_AGO - timedelta(days=25), "warned_at": LONG_AGO}


@pytest.mark.parametrize(
    ("kind", "before", "meanwhile", "error"),
    [
        ("password_reset", {}, {}, ""),
        ("password_reset", {}, STAFF, ""),
        ("password_reset", INACTIVITY, {}, ""),
        ("password_reset", {}, ERASED, "erased"),
        ("reactivation", INACTIVITY, {}, ""),
        ("reactivation", INACTIVITY, ACTIVE, "not blocked for inactivity"),
        ("reactivation", INACTIVITY, STAFF, "not blocked for inactivity"),
        ("reactivation", INACTIVITY, ERASED, "not blocked for inactivity"),
        ("inactivity_warning", WARNED, {}, ""),
        ("inactivity_warning", WARNED, {"last_login": LONG_AGO}, ""),
        (
            "inactivity_warning",
            WARNED,
            {"last_login": LONG_AGO + timedelta(microseconds=1)},
            "came back",
        ),
        ("inactivity_warning", WARNED, {"warned_at": None}, "came back"),
        ("inactivity_warning", WARNED, {"is_superuser": True}, "came back"),
        ("inactivity_warning", WARNED, INACTIVITY, "blocked"),
        ("inactivity_warning", WARNED, STAFF, "blocked"),
        # Never logged in: the day they joined counts.
        ("inactivity_warning", WARNED, {"last_login": None, "date_joined": LONG_AGO}, ""),
        (
            "inactivity_warning",
            WARNED,
            {"last_login": None, "date_joined": LONG_AGO + timedelta(days=1)},
            "came back",
        ),
    ],
)
def test_a_mail_that_is_not_due_any_more_is_left_out(kind, before, meanwhile, error):
    person, other = UserFactory.create_batch(2, **before)
    send_to_one(kind, person)
    send_to_one(kind, other)
    User.objects.filter(pk=person.pk).update(**meanwhile)
    deliver_mail()
    assert Delivery.objects.get(recipient=person).error == error
    expected = {person.email, other.email} if not error else {other.email}
    assert {message.to[0] for message in mail.outbox} == expected


@pytest.mark.parametrize(
    ("language", "date", "last_login"),
    [
        ("en", "Jan. 8, 2026", LONG_AGO - timedelta(days=23)),
        ("ru", "8 января 2026", LONG_AGO - timedelta(days=23)),
        ("en", "Jan. 9, 2026", None),
    ],
)
def test_the_warning_says_when_in_the_persons_language(settings, language, date, last_login):
    settings.INACTIVITY_PERIOD = timedelta(days=30)
    person = UserFactory.create(
        language=language,
        last_login=last_login,
        date_joined=LONG_AGO - timedelta(days=22),
        warned_at=LONG_AGO,
    )
    send_to_one("inactivity_warning", person)
    with time_machine.travel(LONG_AGO, tick=False):
        Delivery.objects.update(due_at=timezone.now())
        deliver_mail()
    (message,) = mail.outbox
    assert date in message.body
    assert settings.FRONTEND_URL in message.body


@pytest.mark.parametrize(
    ("kind", "traits", "urgent"),
    [
        ("password_reset", {}, True),
        ("reactivation", INACTIVITY, True),
        ("inactivity_warning", WARNED, False),
    ],
)
def test_what_somebody_waits_for_goes_first(kind, traits, urgent):
    send_to_one(kind, UserFactory.create(**traits))
    assert Delivery.objects.get().urgent is urgent

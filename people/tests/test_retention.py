"""What is deleted by the clock, and what stays."""

import stat
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone
from django_q.models import Task

from lms.models import Access
from payments.models import Payment, PaymentMove, Refund
from payments.services import staff
from payments.tests.factories import PaymentFactory, RefundFactory
from people.models import User
from people.services import books
from people.tasks import forget_old_books
from people.tests.factories import UserFactory
from project.common.background import retention
from project.common.background.tasks import forget_old_records
from project.common.kept_files import TABLES

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def make_task(number, *, age, success=False):
    stopped = timezone.now() - age
    Task.objects.create(
        id=str(number), name="x", func="x", started=stopped, stopped=stopped, success=success
    )


def make_entry(administrator, *, age):
    return LogEntry.objects.create(
        user=administrator,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(administrator.pk),
        object_repr="x",
        action_flag=CHANGE,
        action_time=timezone.now() - age,
    )


def test_records_go_when_their_time_is_over(administrator, client_of, monkeypatch):
    monkeypatch.setattr(retention, "STEP", 2)
    client = client_of(administrator)
    (open_session,) = Session.objects.all()
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for _number in range(5):
        ended = store()
        ended.set_expiry(-1)
        ended.create()
    for number in range(5):
        make_task(number, age=31 * DAY)
        make_entry(administrator, age=(3 * 365 + 1) * DAY)
    make_task("recent", age=29 * DAY)
    recent = make_entry(administrator, age=3 * 364 * DAY)

    said = forget_old_records()

    assert said == {
        "sessions_forgotten": 5,
        "failed_tasks_forgotten": 5,
        "log_entries_forgotten": 5,
        "tables_forgotten": 0,
        "pictures_forgotten": 0,
    }
    assert list(Session.objects.all()) == [open_session]
    assert list(Task.objects.values_list("pk", flat=True)) == ["recent"]
    assert list(LogEntry.objects.all()) == [recent]
    history = client.get(f"/admin/people/user/{administrator.pk}/history/")
    assert [entry.pk for entry in history.context["action_list"]] == [recent.pk]
    assert client.get("/admin/django_q/failure/").status_code == 200


def test_a_night_deletes_a_bounded_number(monkeypatch):
    monkeypatch.setattr(retention, "STEP", 2)
    for number in range(5):
        make_task(number, age=31 * DAY)
    assert retention.forget_old_rows(retention.FAILED_TASKS, steps=2) == 4
    assert Task.objects.count() == 1


def test_books_of_erased_people_end_when_the_law_allows_it(administrator, monkeypatch):
    monkeypatch.setattr(books, "STEP", 1)
    now, period = timezone.now(), settings.BOOKS_KEPT
    erased, alive = UserFactory.create(erased=True), UserFactory.create()
    old, other = (
        PaymentFactory.create(payer=erased, created_at=now - period - DAY) for _each in range(2)
    )
    recent = PaymentFactory.create(payer=erased, created_at=now - period + DAY)
    of_others = PaymentFactory.create(payer=alive, created_at=now - period - DAY)
    for payment in (old, recent, of_others):
        staff.confirm_payment(payment=payment, by=administrator, reason="came")
        RefundFactory.create(payment=payment, amount=1)

    assert forget_old_books() == {"payments_forgotten": 2}

    assert set(Payment.objects.all()) == {recent, of_others}
    assert not Payment.objects.filter(pk__in=[old.pk, other.pk]).exists()
    for rows in (PaymentMove.objects, Refund.objects):
        assert set(rows.values_list("payment", flat=True)) == {recent.pk, of_others.pk}
    assert {access.reference for access in Access.objects.all()} == {
        recent.reference,
        of_others.reference,
    }
    assert User.objects.filter(pk=erased.pk).exists()


def test_tables_that_were_uploaded_go_after_a_day(administrator):
    """Those of the version before, too, which kept them in a folder for all."""
    storage = storages["private"]
    token = TABLES.keep(b"user,amount\n", person_id=administrator.pk, at_most=1)
    kept = TABLES.kept(token, person_id=administrator.pk)
    assert kept is not None
    # Where nothing is served from, and readable to the application alone.
    path = Path(storage.path(kept[0]))
    assert path.is_relative_to(settings.PRIVATE_ROOT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = storage.save(f"{retention.UPLOADS}/1", ContentFile(b"user,amount\n"))
    assert retention.forget_old_uploads() == 0
    with time_machine.travel(timezone.now() + DAY + timedelta(minutes=1)):
        assert retention.forget_old_uploads() == 2
    assert not storage.exists(before)
    assert not path.exists()

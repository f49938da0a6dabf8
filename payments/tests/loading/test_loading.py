"""`manage.py load_payments`: what is loaded, once, with how much work."""

import io
import itertools
import json
import tracemalloc
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import BinaryIO, cast

import pytest
import time_machine
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from lms.models import Access, Lesson
from lms.tests.factories import CourseFactory
from payments.models import MOVES, MoveSource, Payment, PaymentStatus
from payments.services import Cause, move_payment, read_rows
from payments.services.checking import find_disagreements
from payments.tests.factories import PaymentFactory
from payments.tests.loading.command import load
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@contextmanager
def recorded():
    """Record all queries; the command empties Django's own record."""
    queries = []

    def record(execute, sql, parameters, many, context):
        queries.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(record):
        yield queries


# What is loaded


def test_a_table_is_loaded(write, good, payer, course):
    assert load(write([good])) == ("1 payment loaded, 0 in the book already.\n", True)
    payment = Payment.objects.get()
    assert (payment.payer, payment.course, payment.lesson) == (payer, course, None)
    assert (payment.title, payment.amount) == ("Bread at home", Decimal("1990.00"))
    assert (payment.currency, payment.method, payment.status) == ("RUB", "cash", "paid")
    assert payment.paid_at == datetime(2026, 10, 6, 13, 40, tzinfo=UTC)
    assert payment.created_at == datetime(2026, 10, 5, 9, 12, tzinfo=UTC)
    assert payment.external_id == "A-1"
    payment.full_clean()


def test_only_the_required_columns_are_needed(write, good, payer, lesson):
    names = ["external_id", "amount", "currency", "method"]
    row = {name: good[name] for name in names}
    row |= {"user": str(payer.pk), "lesson_id": str(lesson.pk), "status": "pending"}
    with time_machine.travel(NOW, tick=False):
        load(write([row]))
    payment = Payment.objects.get()
    assert (payment.payer, payment.course, payment.lesson) == (payer, None, lesson)
    assert (payment.title, payment.paid_at, payment.created_at) == ("Flour and water", None, NOW)


def test_a_payment_was_created_when_it_was_paid_if_nothing_else_is_known(write, good):
    load(write([good | {"created_at": ""}]))
    payment = Payment.objects.get()
    assert payment.created_at == payment.paid_at


def test_a_time_without_an_offset_is_in_the_zone_of_the_project(write, good):
    assert settings.TIME_ZONE == "Europe/Moscow"
    load(write([good | {"paid_at": "2026-10-06 13:40", "created_at": "2026-10-06"}]))
    payment = Payment.objects.get()
    assert payment.paid_at == datetime(2026, 10, 6, 10, 40, tzinfo=UTC)
    assert payment.created_at == datetime(2026, 10, 5, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ";"),
        lambda text: text.replace("\r\n", "\n"),
        lambda text: text.replace("\r\n", "\n\n,,,,,,,,,,\n"),
        lambda text: text.upper().replace("RUB", "RUB").replace("PAID,", "paid,").replace(
            "CASH", "cash"
        ),
        lambda text: text.rstrip(),
    ],
    ids=["BOM", "semicolons", "LF", "blank lines", "capitals", "no newline at the end"],
)  # fmt: skip
def test_tables_of_all_spreadsheets_are_read(write, good, change):
    path = write([good])
    path = write(change(path.read_bytes().decode()))
    assert load(path) == ("1 payment loaded, 0 in the book already.\n", True)


@pytest.mark.parametrize("payer_key", ["natural key", "e-mail", "id"])
def test_a_fixture_is_loaded(write, good, payer, course, payer_key):
    names = {"natural key": [payer.email], "e-mail": payer.email, "id": payer.pk}
    fields = {
        "external_id": 17,
        "payer": names[payer_key],
        "course": course.pk,
        "lesson": None,
        "title": "As it was called then",
        "amount": 1990.1,
        "currency": "RUB",
        "method": "transfer",
        "status": "pending",
        "created_at": "2026-10-05T09:12:00Z",
    }
    assert load(write([fields], "Payments.JSON"))[1]
    payment = Payment.objects.get()
    assert (payment.payer, payment.title) == (payer, "As it was called then")
    assert (payment.amount, payment.external_id) == (Decimal("1990.10"), "17")


def test_a_paid_row_gives_access(write, good, payer, course, lesson):
    load(write([good]))
    payment = Payment.objects.get()
    access = Access.objects.get()
    assert (access.user, access.course, access.lesson) == (payer, course, None)
    assert (access.source, access.reference) == ("payment", payment.reference)
    assert access.created_at == payment.paid_at
    assert Lesson.objects.open_to(payer).get() == lesson
    # The same as any other paid payment: a refund takes it away again.
    cause = Cause(source=MoveSource.STAFF, reason="Asked for it back")
    move_payment(payment_id=payment.pk, to=PaymentStatus.REFUNDED, cause=cause)
    assert not Lesson.objects.open_to(payer).exists()


@pytest.mark.parametrize("status", PaymentStatus.values)
def test_every_row_has_the_history_that_leads_to_its_state(write, good, status):
    paid_at = good["paid_at"] if status in {"paid", "refunded"} else ""
    load(write([good | {"status": status, "paid_at": paid_at}]))
    payment = Payment.objects.get()
    state = "pending"
    for move in payment.moves.all():
        assert (move.from_status, move.source, move.by) == (state, "import", None)
        assert move.to_status in MOVES[state]
        state = move.to_status
    assert state == payment.status == status
    assert Access.objects.exists() == (status == "paid")


def test_what_was_loaded_agrees_with_the_access_it_gave(write, good, lesson):
    of_lesson = {"external_id": "A-3", "course_id": "", "lesson_id": str(lesson.pk)}
    refunded = {"external_id": "A-2", "status": "refunded"}
    load(write([good, good | refunded, good | of_lesson]))
    assert list(find_disagreements(with_stripe=False)) == []


SAMPLE = settings.BASE_DIR / "fixtures" / "payments.json"


def test_the_sample_loads_with_both_commands_into_the_demo_school():
    call_command("loaddata", "fixtures/groups.json", "fixtures/demo.json", verbosity=0)
    samples = len(json.loads(SAMPLE.read_text()))
    before = Payment.objects.count()
    assert load(SAMPLE) == (f"{samples} payments loaded, 0 in the book already.\n", True)
    call_command("loaddata", "fixtures/payments.json", verbosity=0)
    assert Payment.objects.count() == before + samples
    Access.objects.all().delete()
    Payment.objects.exclude(external_id=None).delete()
    call_command("loaddata", "fixtures/payments.json", verbosity=0)
    assert load(SAMPLE) == (f"0 payments loaded, {samples} in the book already.\n", True)


def test_the_sample_names_what_is_missing_from_an_empty_school():
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match="Nothing was loaded") as refusal:
        call_command("load_payments", stdout=out, stderr=err)
    assert refusal.value.returncode == 1
    assert out.getvalue() == ""
    first = "Row 1: user: there is no account vera@parta.example; course_id: there is no course 2\n"
    assert err.getvalue().startswith(first)


# A second run


def test_a_second_run_changes_nothing(write, good):
    path = write([good, good | {"external_id": "A-2", "user": "VERA@SCHOOL.EXAMPLE"}])
    load(path)
    # A payment lives on after it was imported.
    Payment.objects.filter(external_id="A-2").update(status="refunded", title="Corrected")
    before = list(Payment.objects.order_by("pk").values())
    assert load(path) == ("0 payments loaded, 2 in the book already.\n", True)
    assert list(Payment.objects.order_by("pk").values()) == before


def test_only_new_rows_are_added(write, good):
    load(write([good]))
    path = write([good, good | {"external_id": "A-2"}])
    said = "1 payment would be loaded, 1 in the book already.\n"
    assert load(path, dry_run=True) == (said, True)
    assert load(path) == ("1 payment loaded, 1 in the book already.\n", True)


def test_a_second_run_outlives_the_erasure_of_an_account(write, good, payer):
    path = write([good])
    load(path)
    payer.email = "erased-1@invalid.example"
    payer.save()
    assert load(path) == ("0 payments loaded, 1 in the book already.\n", True)


@pytest.mark.parametrize("column", ["user", "course_id", "amount"])
def test_an_external_id_with_other_facts_is_refused(write, good, column):
    load(write([good]))
    others = {
        "user": UserFactory.create().email,
        "course_id": str(CourseFactory.create().pk),
        "amount": "1990.01",
    }
    said, succeeded = load(write([good | {column: others[column]}]))
    assert not succeeded
    assert said.startswith("Row 1 (line 2): external_id: A-1 is in the book with another person")


def test_a_dry_run_only_reads(write, good):
    path = write([good])
    with recorded() as queries:
        assert load(path, dry_run=True)[0] == "1 payment would be loaded, 0 in the book already.\n"
    # Accounts by e-mail, courses, what is in the book.
    assert len(queries) == 3
    assert all(sql.startswith("SELECT") for sql in queries)
    assert not Payment.objects.exists()


# The database


def test_a_database_that_does_not_answer_is_one_clear_line(write, good):
    def fail(*arguments):
        raise OperationalError("no answer")

    path = write([good])
    with connection.execute_wrapper(fail):
        assert load(path, dry_run=True) == (f"{path}: no answer\n", False)


def test_two_who_load_the_same_at_once_do_not_load_it_twice(write, good, payer, course):
    others = iter([{"external_id": "A-1", "payer": payer, "course": course}])

    def let_another_be_faster(execute, sql, parameters, many, context):
        if sql.startswith(("INSERT", "SELECT nextval")):
            for other in others:
                PaymentFactory.create(**other)
        return execute(sql, parameters, many, context)

    path = write([good])
    with connection.execute_wrapper(let_another_be_faster):
        said, succeeded = load(path)
    assert (said, succeeded) == (
        f"{path}: The book changed while the rows were loaded, so nothing was loaded. Try again.\n",
        False,
    )
    assert not Payment.objects.exists()


# Size


def test_rows_are_read_one_by_one():
    """A file of any size needs little memory: what is read is what is asked for."""

    class Endless(io.RawIOBase):
        taken = 0

        def readline(self, size=-1):
            self.taken += 1
            header = b"external_id,user,amount,currency,method,status,course_id\n"
            return header if self.taken == 1 else b"A-1,v@e.example,5,RUB,cash,pending,1\n"

    source = Endless()
    rows = list(itertools.islice(read_rows(cast("BinaryIO", source), "x.csv"), 10))
    assert [row.number for row in rows] == list(range(1, 11))
    assert source.taken == 11


def test_memory_does_not_grow_with_the_file(write, good):
    def peak(count):
        rows = [good | {"external_id": f"A-{number}"} for number in range(count)]
        path = write(rows)
        del rows
        tracemalloc.start()
        load(path, dry_run=True)
        _now, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1)
    assert peak(3000) < 1.5 * peak(1000)


@pytest.mark.parametrize("rows", [2, 20])
def test_number_of_queries_does_not_depend_on_the_rows(write, good, rows):
    path = write([good | {"external_id": f"A-{number}"} for number in range(rows)])
    with recorded() as queries:
        load(path)
    assert Payment.objects.count() == rows
    # Begin, accounts by e-mail, courses, what is in the book, savepoint, numbers for the payments,
    # release, commit; and payments, their moves and access, which PostgreSQL takes by COPY. SQLite
    # is asked for the size of its cache, and told it twice.
    assert len(queries) == (8 if connection.vendor == "postgresql" else 14)


def test_payments_made_after_loading_get_numbers_of_their_own(write, good):
    load(write([good | {"external_id": f"A-{number}"} for number in range(3)]))
    loaded = set(Payment.objects.values_list("pk", flat=True))

    later = PaymentFactory.create()
    load(write([good | {"external_id": f"B-{number}"} for number in range(3)]))

    assert later.pk not in loaded
    assert Payment.objects.count() == 7
    assert Payment.objects.values("token").distinct().count() == 7


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_shows_the_progress_on_a_terminal_only(write, good, monkeypatch):
    path = write([good])
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    call_command("load_payments", path, stdout=io.StringIO())
    assert "%" in terminal.getvalue()
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    call_command("load_payments", path, stdout=io.StringIO())
    assert pipe.getvalue() == ""

"""`manage.py load_payments`: what is loaded, once, with how much work."""

import io
import itertools
import json
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import BinaryIO, cast

import pytest
import time_machine
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from lms.models import Access, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment
from payments.models.states import MOVES
from payments.services import books, refunds
from payments.services.importing import files, json_list, loading, references
from payments.services.importing.json_list import JSONList
from payments.tests.factories import PaymentFactory
from payments.tests.loading.command import load, recorded
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


# What is loaded


def test_a_table_is_loaded(write, good, payer, course):
    assert load(write([good])) == ("1 payment loaded, 0 already recorded.\n", True)
    payment = Payment.objects.get()
    assert (payment.payer, payment.course, payment.lesson) == (payer, course, None)
    assert (payment.title, payment.amount) == ("Bread at home", Decimal("1990.00"))
    assert (payment.currency, payment.method, payment.status) == ("RUB", "cash", "paid")
    assert payment.paid_at == datetime(2026, 10, 6, 13, 40, tzinfo=UTC)
    assert payment.created_at == datetime(2026, 10, 5, 9, 12, tzinfo=UTC)
    assert payment.external_id == "A-1"
    payment.full_clean()


def test_what_may_be_here_under_another_number_is_told_and_loaded(write, good):
    """A spreadsheet takes the zeros away from 000123, and the payment comes once more."""
    load(write([good | {"external_id": "000123"}]))
    number = Payment.objects.get().pk
    others = [
        good | {"external_id": "123", "paid_at": "2026-10-06T20:00:00Z"},
        good | {"external_id": "124", "amount": "1990.01"},
        good | {"external_id": "125", "paid_at": "2026-10-08T13:40:00Z"},
    ]
    told = f"1 new payment is as one that is here under another external ID (№ {number})"
    for dry_run in (True, False):
        said, _succeeded = load(write(others), dry_run=dry_run)
        assert said.startswith(told), said
    assert Payment.objects.count() == 4


def test_spaces_around_a_value_and_capitals_in_the_name_of_the_file_are_no_matter(write, good):
    spaced = {column: f" {value} " for column, value in good.items() if column != "currency"}
    path = write([spaced | {"currency": good["currency"]}])
    assert load(path.rename(path.with_name("PAYMENTS.CSV")))[0].startswith("1 payment loaded")
    payment = Payment.objects.get()
    assert (payment.amount, payment.method, payment.status) == (Decimal("1990.00"), "cash", "paid")


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


def test_a_title_becomes_one_line(write, good):
    load(write([good | {"title": "Flour\r\n\tand water"}]))
    assert Payment.objects.get().title == "Flour and water"


def test_values_at_their_limits_are_loaded(write, good):
    """Spaces around them are not part of them."""
    limits = {
        "external_id": "A" * 100, "title": "T" * 200, "amount": "99999999.99",
        "paid_at": "2026-11-20T12:00:00Z", "created_at": "1900-01-01T00:00:00Z",
    }  # fmt: skip
    zero = {"external_id": "A-0", "amount": "-0.00", "title": "  "}
    spaced = {name: f" {value} " for name, value in limits.items()}
    spaced |= {
        name: f" {good[name]} " for name in ("user", "course_id", "currency", "method", "status")
    }
    with time_machine.travel(NOW, tick=False):
        assert load(write([good | spaced, good | zero]))[1]
    payment = Payment.objects.get(external_id="A" * 100)
    assert (payment.title, payment.amount) == ("T" * 200, Decimal("99999999.99"))
    assert payment.paid_at == NOW
    assert payment.created_at == datetime(1900, 1, 1, tzinfo=UTC)
    nothing = Payment.objects.get(external_id="A-0")
    assert (str(nothing.amount), nothing.title) == ("0.00", "Bread at home")


def test_each_row_is_of_its_own_person_and_thing(write, good, payer, course, lesson):
    """Whoever and whatever else there is."""
    other = UserFactory.create(email="other@school.example", is_active=False)
    sibling = LessonFactory.create(course=CourseFactory.create(title="Another"), title="Yeast")
    rows = [
        good,
        {"user": other.email, "course_id": str(sibling.course_id)},
        {"user": str(other.pk), "course_id": "", "lesson_id": str(sibling.pk)},
        {"user": str(payer.pk), "course_id": "", "lesson_id": str(lesson.pk)},
    ]
    rows = [good | row | {"external_id": f"A-{number}"} for number, row in enumerate(rows)]
    assert load(write(rows))[1]
    loaded = Payment.objects.order_by("external_id")
    assert [(payment.payer, payment.target, payment.title) for payment in loaded] == [
        (payer, course, "Bread at home"),
        (other, sibling.course, "Another"),
        (other, sibling, "Yeast"),
        (payer, lesson, "Flour and water"),
    ]
    given = {access.reference: (access.user, access.target) for access in Access.objects.all()}
    assert given == {payment.reference: (payment.payer, payment.target) for payment in loaded}


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
    assert load(path) == ("1 payment loaded, 0 already recorded.\n", True)


@pytest.mark.parametrize("payer_key", ["natural key", "e-mail", "id"])
def test_a_fixture_is_loaded(write, good, payer, course, payer_key):
    names = {"natural key": [payer.email], "e-mail": payer.email, "id": payer.pk}
    fields = {
        "external_id": int("17" * 30),
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
    assert (payment.amount, payment.external_id) == (Decimal("1990.10"), "17" * 30)


def test_a_paid_row_gives_access(write, good, payer, course, lesson):
    load(write([good]))
    payment = Payment.objects.get()
    access = Access.objects.get()
    assert (access.user, access.course, access.lesson) == (payer, course, None)
    assert (access.source, access.reference) == ("payment", payment.reference)
    assert access.created_at == payment.paid_at
    assert Lesson.objects.open_to(payer).get() == lesson
    # The same as any other paid payment: a refund takes it away again.
    refunds.refund_payment(payment=payment, by=payer, reason="Asked for it back")
    assert not Lesson.objects.open_to(payer).exists()


@pytest.mark.parametrize(
    ("status", "way"),
    [
        ("pending", []),
        ("processing", ["processing"]),
        ("paid", ["paid"]),
        ("failed", ["failed"]),
        ("expired", ["expired"]),
        ("refunded", ["paid", "refunded"]),
    ],
)
def test_every_row_has_the_history_that_leads_to_its_state(write, good, status, way):
    paid_at = good["paid_at"] if status in {"paid", "refunded"} else ""
    with time_machine.travel(NOW, tick=False):
        load(write([good | {"status": status, "paid_at": paid_at}]))
    payment = Payment.objects.get()
    moves = list(payment.moves.all())
    assert [move.to_status for move in moves] == way
    state = "pending"
    for move in moves:
        assert (move.from_status, move.source, move.by) == (state, "import", None)
        assert (move.reason, move.created_at) == ("", NOW)
        assert move.to_status in MOVES[state]
        state = move.to_status
    assert state == payment.status == status
    assert Access.objects.exists() == (status == "paid")


def test_what_was_loaded_agrees_with_the_access_it_gave(write, good, lesson):
    of_lesson = {"external_id": "A-3", "course_id": "", "lesson_id": str(lesson.pk)}
    refunded = {"external_id": "A-2", "status": "refunded"}
    load(write([good, good | refunded, good | of_lesson]))
    assert list(books.find_in_books()) == []


SAMPLE = settings.BASE_DIR / "fixtures" / "payments.json"


def test_the_sample_loads_with_both_commands_into_the_demo_school():
    call_command("loaddata", "fixtures/groups.json", "fixtures/demo.json", verbosity=0)
    samples = len(json.loads(SAMPLE.read_text()))
    before = Payment.objects.count()
    assert load(SAMPLE) == (f"{samples} payments loaded, 0 already recorded.\n", True)
    call_command("loaddata", "fixtures/payments.json", verbosity=0)
    assert Payment.objects.count() == before + samples
    Access.objects.all().delete()
    Payment.objects.exclude(external_id=None).delete()
    call_command("loaddata", "fixtures/payments.json", verbosity=0)
    assert load(SAMPLE) == (f"0 payments loaded, {samples} already recorded.\n", True)


def test_the_sample_names_what_is_missing_from_an_empty_school():
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match="Nothing was loaded") as refusal:
        call_command("load_payments", stdout=out, stderr=err)
    assert refusal.value.returncode == 1
    assert out.getvalue() == ""
    said = err.getvalue().splitlines()
    assert said[0].startswith("There is no account vera@parta.example (row")
    assert "There is no course 2 (rows 1, 7)" in said


# A second run


def test_a_second_run_changes_nothing(write, good):
    path = write([good, good | {"external_id": "A-2", "user": "VERA@SCHOOL.EXAMPLE"}])
    load(path)
    # A payment lives on after it was imported.
    Payment.objects.filter(external_id="A-2").update(
        status="expired", paid_at=None, title="Corrected"
    )
    before = list(Payment.objects.order_by("pk").values())
    said, succeeded = load(path)
    assert succeeded
    assert said == (
        "1 payment is here in another state, and stays as it is:\n"
        "Row 2 (line 3): A-2 is here: expired, in the file: paid\n"
        "0 payments loaded, 2 already recorded.\n"
    )
    assert list(Payment.objects.order_by("pk").values()) == before


def test_only_new_rows_are_added(write, good):
    load(write([good]))
    path = write([good, good | {"external_id": "A-2", "amount": "5.00"}])
    said = "1 payment would be loaded, 1 already recorded.\n"
    assert load(path, dry_run=True) == (said, True)
    assert load(path) == ("1 payment loaded, 1 already recorded.\n", True)


def test_a_second_run_outlives_the_erasure_of_an_account(write, good, payer):
    path = write([good])
    load(path)
    payer.email = "erased-1@invalid.example"
    payer.save()
    assert load(path) == ("0 payments loaded, 1 already recorded.\n", True)


@pytest.mark.parametrize("column", ["user", "course_id", "lesson_id", "amount", "currency"])
def test_an_external_id_with_other_facts_is_refused(write, good, settings, column):
    """Its neighbour, which is as it was, is not to blame."""
    sibling, other = LessonFactory.create_batch(2)
    neighbour = good | {"external_id": "A-2"}
    place = {"course_id": "", "lesson_id": str(sibling.pk)} if column == "lesson_id" else {}
    load(write([neighbour, good | place]))
    others = {
        "user": UserFactory.create().email,
        "course_id": str(other.course_id),
        "lesson_id": str(other.pk),
        "amount": "1990.01",
        "currency": "USD",
    }
    rows = [neighbour, good | place | {column: others[column]}]
    if column == "currency":
        settings.CURRENCY = "USD"
        rows = [rows[1] | {"external_id": "A-3"}, rows[1]]
    said, succeeded = load(write(rows))
    assert not succeeded
    assert said == (
        "Row 2 (line 3): external_id: A-1 is already recorded with a different person, item or amount\n"
        "Nothing was loaded.\n"
    )
    assert Payment.objects.count() == 2


def test_a_dry_run_only_reads(write, good):
    path = write([good])
    with recorded() as queries:
        assert load(path, dry_run=True)[0] == "1 payment would be loaded, 0 already recorded.\n"
    # The last payment, accounts by e-mail, courses, what is in the book, which months are closed.
    assert len(queries) == 5
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
        f"{path}: The payments changed while the file was being loaded, so nothing was loaded. Try again.\n",
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
    rows = list(itertools.islice(files.open_source(cast("BinaryIO", source), "x.csv").rows, 10))
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
    assert peak(6000) < 1.2 * peak(3000)


@pytest.mark.parametrize("rows", [2, 20])
def test_number_of_queries_does_not_depend_on_the_rows(write, good, rows):
    path = write([good | {"external_id": f"A-{number}"} for number in range(rows)])
    with recorded() as queries:
        load(path)
    assert Payment.objects.count() == rows
    # Begin, the last payment, accounts by e-mail, courses, what is in the book, which months are closed, savepoint,
    # numbers for the payments, entries in the ledger of payments, refunds and disputes, release,
    # commit; and payments, their moves and access, which PostgreSQL takes by COPY. SQLite is asked
    # for the size of its cache, and told it twice.
    assert len(queries) == (13 if connection.vendor == "postgresql" else 19)


def test_what_many_batches_speak_of_is_asked_for_once_and_not_kept_for_ever(
    write, good, monkeypatch
):
    def questions():
        """For people, for courses, for lessons."""
        with recorded() as queries:
            load(path, dry_run=True)
        tables = ("people_user", "lms_course", "lms_lesson")
        return [sum(f'FROM "{table}"' in sql for sql in queries) for table in tables]

    monkeypatch.setattr(loading, "BATCH_SIZE", 1)
    lesson = LessonFactory.create()
    other = {"user": "other@school.example", "course_id": "", "lesson_id": str(lesson.pk)}
    UserFactory.create(email=other["user"])
    rows = [good | change for change in ({}, other) * 3]
    path = write([row | {"external_id": f"A-{number}"} for number, row in enumerate(rows)])
    assert questions() == [2, 1, 1]
    # As soon as more than so many are remembered they are forgotten, and asked for again.
    monkeypatch.setattr(references, "MOST_REMEMBERED", 2)
    assert questions() == [2, 1, 1]
    monkeypatch.setattr(references, "MOST_REMEMBERED", 1)
    assert questions() == [6, 1, 1]


def test_with_debug_the_queries_of_a_load_are_not_remembered(write, good, settings):
    settings.DEBUG = True
    load(write([good]))
    remembered = " ".join(query["sql"] for query in connection.queries)
    assert "INSERT" not in remembered
    assert "lms_course" not in remembered


def test_payments_made_after_loading_get_numbers_of_their_own(write, good):
    load(write([good | {"external_id": f"A-{number}"} for number in range(3)]))
    loaded = set(Payment.objects.values_list("pk", flat=True))

    later = PaymentFactory.create()
    load(write([good | {"external_id": f"B-{number}"} for number in range(3)]))

    assert later.pk not in loaded
    assert Payment.objects.count() == 7
    assert Payment.objects.values("token").distinct().count() == 7


class Drops(io.RawIOBase):
    """A file of which a few bytes come at a time."""

    def __init__(self, content, size):
        self.content, self.size = io.BytesIO(content), size

    def read(self, size=-1):
        return self.content.read(min(size, self.size))


def items_of(source):
    items = JSONList(cast("BinaryIO", source))
    assert items.is_one()
    return list(items.items())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_a_list_is_the_same_however_its_bytes_come(size):
    """A number that ends with a piece may go on in the next one."""
    text = ' \n[ 12 ,-3.50 , "Хлеб \U0001f35e", {"a": [1.0, null]} ,true,17\t] \n '
    for content in (text.encode(), b"\xef\xbb\xbf" + text.encode()):
        items = items_of(Drops(content, size))
        assert items == json.loads(text, parse_float=Decimal)
        assert [type(item) for item in items[:2]] == [int, Decimal]
        assert str(items[1]) == "-3.50"
    assert items_of(Drops(b"[ ]", size)) == []


def test_an_item_may_be_as_long_as_a_mebibyte_and_not_much_longer(monkeypatch):
    monkeypatch.setattr(json_list, "CHUNK", 8)
    monkeypatch.setattr(json_list, "LONGEST_ITEM", 32)

    def read(length):
        content = json.dumps([{}, "x" * length, {}]).encode()
        return items_of(io.BytesIO(content))

    assert read(30) == [{}, "x" * 30, {}]
    with pytest.raises(json_list.BrokenJSON):
        read(48)


def test_what_was_read_of_a_list_is_not_kept(monkeypatch):
    monkeypatch.setattr(json_list, "CHUNK", 8)
    read = JSONList(cast("BinaryIO", io.BytesIO(b"[" + b"12345, " * 1000 + b"1]")))
    assert read.is_one()
    longest = max(len(read.text) for _item in read.items())
    assert longest < 32


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

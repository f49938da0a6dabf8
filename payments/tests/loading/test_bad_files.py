"""`manage.py load_payments`: every bad row and broken file by its number and reason."""

import json
from datetime import UTC, datetime

import pytest
import time_machine

from lms.models import Lesson
from payments.tests.loading.command import load, refused

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


# Bad rows


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("external_id", "", "external_id: is missing"),
        ("external_id", "x" * 101, "external_id: is longer than 100 characters"),
        ("external_id", "A-\x00", "external_id: contains characters that can't be stored"),
        ("user", "", "user: is missing"),
        ("user", "Vera", "user: Vera is neither an email address nor an ID"),
        ("user", "٣", "user: ٣ is neither an email address nor an ID"),
        ("user", "-1", "user: -1 is neither an email address nor an ID"),
        ("course_id", "9" * 19, "course_id: 9999999999999999999 is not a valid ID"),
        ("course_id", str(2**63), "course_id: 9223372036854775808 is not a valid ID"),
        ("course_id", "0", "course_id: 0 is not a valid ID"),
        ("course_id", "Bread", "course_id: Bread is not a valid ID"),
        ("course_id", "", "there must be either a course or a lesson"),
        ("lesson_id", "1", "there must be either a course or a lesson"),
        ("user", f"{'v' * 240}@school.example", "user: is longer than 254 characters"),
        ("method", "\x07\t x", "method: '\\x07\\t x' is not one of cash, transfer, Stripe"),
        ("method", "g" * 40, f"method: {'g' * 40} is not one of cash, transfer, Stripe"),
        ("method", "g" * 41, f"method: {'g' * 39}… is not one of cash, transfer, Stripe"),
        ("title", "x" * 201, "title: is longer than 200 characters"),
        ("amount", "", "amount: is missing"),
        ("amount", "1990.001", "amount: 1990.001 has more decimal places than RUB allows"),
        ("amount", "-5", "amount: -5 is negative"),
        ("amount", "-0.01", "amount: -0.01 is negative"),
        ("amount", "10000000000", "amount: 10000000000 is too large"),
        ("amount", "9" * 30, "amount: 999999999999999999999999999999 is too large"),
        ("amount", "9" * 31, "amount: 9999999999999999999999999999999 is not an amount"),
        ("amount", "NaN", "amount: NaN is not an amount"),
        ("amount", "Infinity", "amount: Infinity is not an amount"),
        ("amount", "1e3", "amount: 1e3 is not an amount"),
        ("amount", "1_000", "amount: 1_000 is not an amount"),
        ("amount", "4,900", "amount: 4,900 can be read as 4900 and as 4.900: write 4900.00"),
        ("amount", "-1.234", "amount: -1.234 can be read as -1234 and as -1.234: write -1234.00"),
        ("amount", "4 90", "amount: 4 90 is not an amount"),
        ("amount", "1,2,3", "amount: 1,2,3 is not an amount"),
        ("amount", "$4900", "amount: $4900 is not an amount"),
        ("amount", "(500)", "amount: (500) is not an amount"),
        ("amount", "٣", "amount: ٣ is not an amount"),
        ("currency", "", "currency: is missing"),
        ("currency", "EUR", "currency: EUR is not the currency of this school (RUB)"),
        ("currency", "€", "currency: € is not the currency of this school (RUB)"),
        ("method", "", "method: is missing"),
        ("method", "gold", "method: gold is not one of cash, transfer, Stripe"),
        ("status", "lost", "status: lost is not one of pending, processing, paid, failed"),
        ("status", "pending", "paid_at: is given, but the payment was not made"),
        ("status", "processing", "paid_at: is given, but the payment was not made"),
        ("status", "failed", "paid_at: is given, but the payment was not made"),
        ("status", "expired", "paid_at: is given, but the payment was not made"),
        ("paid_at", "", "paid_at: is missing, but the payment was made"),
        ("paid_at", "10/06/2026", "paid_at: 10/06/2026 is not a time like"),
        ("paid_at", "06.10.26", "paid_at: 06.10.26 is not a time like"),
        ("paid_at", "31.09.2026", "paid_at: 31.09.2026 is not a time like"),
        ("paid_at", "21.11.2026", "paid_at: 2026-11-21 is in the future"),
        ("created_at", "2199-01-01", "created_at: 2199-01-01 is in the future"),
        ("refunds", "500 (21.11.2026)", "refunds: 2026-11-21 is in the future"),
        ("refunds", "500", "refunds: 500 is not like 500.00 (2026-11-20)"),
        ("refunds", "500 (20.11.2026, soon)", "refunds: 500 (20.11.2026, soon) is not like"),
        ("refunds", "0 (20.11.2026)", "refunds: 0 (20.11.2026) is no refund"),
        ("refunds", "1990 (20.11.2026)", "refunds: 1990.00 of 1990.00 is no refund of a payment that is paid"),
        ("refunds", "1991 (20.11.2026)", "refunds: 1991.00 is more than the amount"),
        ("refunded_amount", "500", "refunds: is missing: say on which days what was refunded"),
        ("disputes", "1991 (20.11.2026)", "disputes: 1991.00 is more than the amount"),
        ("external_id", "1,23457E+19", "external_id: 1,23457E+19 was shortened by a spreadsheet"),
        ("external_id", "EXAMPLE-1", "this is the example of the template: delete this row"),
        ("paid_at", "2026-13-01", "paid_at: 2026-13-01 is not a time like"),
        ("paid_at", "0001-01-01T00:00:00+14:00", "paid_at: 0001-01-01T00:00:00+14:00 is not a time"),
        ("created_at", "9999-12-31T23:59:59Z", "created_at: 9999-12-31T23:59:59Z is not a time"),
        ("created_at", "1899-12-31T23:59:59Z", "created_at: 1899-12-31T23:59:59Z is not a time"),
        ("created_at", "2200-01-01T00:00:00Z", "created_at: 2200-01-01T00:00:00Z is not a time"),
        ("created_at", "soon", "created_at: soon is not a time like 2026-09-01T12:00:00+03:00"),
    ],
)  # fmt: skip
@time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False)
def test_a_bad_value_is_named_with_its_row(write, good, column, value, reason):
    good |= dict.fromkeys(("refunds", "refunded_amount", "disputes"), "")
    bad = good | {"external_id": "A-2"} | {column: value}
    said = refused(write([good, bad]))
    assert said.startswith(f"Row 2 (line 3): {reason}"), said
    assert said.endswith("\nNothing was loaded.\n")
    assert said.count("\n") == 2


def test_who_and_what_is_not_here_is_named_at_once_beside_other_errors(write, good, course):
    """Also in the last of many rows."""
    assert not Lesson.objects.exists()
    rows = [
        good | {"user": "nobody@school.example"},
        good | {"course_id": "", "lesson_id": str(course.pk)},
        good | {"user": "Nobody@School.Example", "course_id": str(2**63 - 1)},
        good | {"amount": "x"},
        *[good] * 1000,
        good | {"user": "999999"},
    ]
    rows = [row | {"external_id": f"A-{number}"} for number, row in enumerate(rows)]
    assert refused(write(rows)).splitlines() == [
        "There is no account nobody@school.example (lines 2, 4)",
        "There is no account 999999 (line 1006)",
        "There is no course 9223372036854775807 (line 4)",
        f"There is no lesson {course.pk} (line 3)",
        "Row 4 (line 5): amount: x is not an amount like 1990.00",
        "Nothing was loaded.",
    ]


def test_a_hundred_unknown_people_are_named_and_the_others_counted(write, good):
    rows = [
        good | {"external_id": f"A-{number}", "user": f"nobody{number % 103}@school.example"}
        for number in range(1300)
    ]
    said = refused(write(rows)).splitlines()
    first = "There is no account nobody0@school.example (lines 2, 105, 208, 311, 414, 517, 620, 723, 826, 929 and 3 more)"
    assert said[0] == first
    assert len(said) == 102
    assert said[100] == "36 more rows name somebody or something unknown."


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("external_id", True, "external_id: True is not text"),
        ("external_id", {}, "external_id: dict is not text"),
        ("external_id", "\ud800", "external_id: contains characters that can't be stored"),
        ("payer", None, "user: is missing"),
        ("payer", True, "user: True is neither an email address nor an ID"),
        ("payer", [], "user: list is neither an email address nor an ID"),
        (
            "payer",
            ["a@b.example", "c@d.example"],
            "user: list is neither an email address nor an ID",
        ),
        ("payer", [5], "user: list is neither an email address nor an ID"),
        ("payer", 1.5, "user: 1.5 is neither an email address nor an ID"),
        ("course", [1], "course_id: list is not a valid ID"),
        ("course", 2**63, "course_id: 9223372036854775808 is not a valid ID"),
        ("amount", True, "amount: True is not an amount"),
        ("amount", 0.001, "amount: 0.001 has more decimal places than RUB allows"),
        ("amount", -1, "amount: -1 is negative"),
        ("amount", 1e300, "amount: 1E+300 is too large"),
        ("amount", "1990.00 EUR", "amount: 1990.00 EUR is not an amount"),
        ("status", 5, "status: 5 is not one of"),
        ("paid_at", 1791288000, "paid_at: 1791288000 is not a time"),
        ("user", "vera@school.example", "unknown field: 'user'"),
        ("colour", "red", "unknown field: 'colour'"),
    ],
)
def test_a_bad_field_is_named_with_its_row(write, good, payer, course, field, value, reason):
    fields = {name: good[name] for name in ("external_id", "amount", "currency", "method")}
    fields |= {"payer": payer.pk, "course": course.pk, "status": "pending"}
    bad = fields | {"external_id": "A-2"} | {field: value}
    said = refused(write([fields, bad], "payments.json"))
    assert said.startswith(f"Row 2: {reason}"), said


@pytest.mark.parametrize(
    "item",
    [
        None,
        5,
        [],
        {},
        {"model": "payments.payment"},
        {"model": "payments.payment", "fields": []},
        {"model": "lms.course", "fields": {}},
        {"fields": {}},
    ],
)
def test_what_is_no_payment_is_named(write, item):
    said = refused(write(json.dumps([item]), "payments.json"))
    assert said.startswith('Row 1: this is not {"model": "payments.payment", "fields": {…}}')


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e" + "9" * 30, "1e99999"])
def test_a_number_larger_than_a_computer_likes_is_named(write, number):
    item = {"model": "payments.payment", "fields": {"external_id": "A-1", "payer": "NUMBER"}}
    content = json.dumps([item]).replace('"NUMBER"', number)
    assert refused(write(content, "payments.json")).startswith("Row 1: ")


def test_all_that_is_wrong_with_a_row_is_said_at_once(write, good):
    said = refused(write([good | {"amount": "x", "method": "gold", "user": ""}]))
    assert said.splitlines()[0] == (
        "Row 1 (line 2): user: is missing; amount: x is not an amount like 1990.00; "
        "method: gold is not one of cash, transfer, Stripe"
    )


def test_what_is_open_at_stripe_stays_there(write, good):
    """Its page and its session belong to the other book: nobody could ever pay it here. It is no reason
    to refuse the others."""
    rows = [
        good | {"external_id": f"A-{status}", "method": "stripe", "status": status, "paid_at": ""}
        for status in ("pending", "processing")
    ]
    said, succeeded = load(write([good, *rows]))
    assert succeeded
    assert said == (
        "2 orders are open at Stripe and left out.\n1 payment loaded, 0 already recorded.\n"
    )


def test_an_external_id_comes_once_in_a_file(write, good):
    rows = [good | {"external_id": f"A-{number}"} for number in range(1500)]
    said = refused(write([*rows, good | {"external_id": "A-7"}]))
    assert said.startswith("Row 1501 (line 1502): external_id: line 9 already has A-7\n")


@pytest.mark.parametrize("bad", [19, 20, 30])
def test_twenty_bad_rows_are_enough(write, good, bad):
    rows = [good | {"external_id": f"A-{number}", "amount": "x"} for number in range(bad)]
    said = refused(write(rows)).splitlines()
    told = min(bad, 20)
    assert said[told - 1].startswith(f"Row {told} (line {told + 1})")
    more = ["10 more rows have errors."] if bad == 30 else []
    assert said[told:] == [*more, "Nothing was loaded."]


def test_a_bad_last_row_takes_back_all_before_it(write, good):
    rows = [good | {"external_id": f"A-{number}"} for number in range(2500)]
    said = refused(write([*rows, good | {"external_id": "A-x", "amount": "x"}]))
    assert said.startswith("Row 2501 (line 2502)")


def test_bad_rows_of_all_kinds_come_in_order(write, good):
    load(write([good | {"external_id": "B-1"}]))
    rows = [
        good | {"external_id": "B-1", "amount": "5"},
        good | {"external_id": "A-2", "amount": "x"},
        good | {"external_id": "A-2"},
        good | {"external_id": "A-2"},
    ]
    said = refused(write(rows)).splitlines()
    assert [line.split(":")[0] for line in said[:3]] == [
        "Row 1 (line 2)", "Row 2 (line 3)", "Row 4 (line 5)",
    ]  # fmt: skip


def test_columns_that_are_unknown_are_listed_in_short(write, good):
    names = [f"{letter}{'ы' * 50}" for letter in "gfedcba"]
    listed = ", ".join(f"'{name[:40]}'" for name in sorted(names)[:5])
    said = refused(write([good | dict.fromkeys(names, "")]))
    assert said.endswith(f"Unknown columns: {listed}.\n")


def test_an_amount_must_fit_currencies_of_other_units(write, good, settings):
    settings.CURRENCY = "JPY"
    said = refused(write([good | {"currency": "JPY", "amount": "1990.50"}]))
    assert "1990.50 has more decimal places than JPY allows" in said
    assert "refunds: 0.50 has more" in refused(
        write([good | {"currency": "JPY", "amount": "1990", "refunds": "0.50 (2026-10-07)"}])
    )
    # Of each row the currency of its own counts.
    said = refused(write([good | {"currency": "USD", "amount": "1990.50"}]))
    assert "USD is not the currency of this school" in said
    assert "decimal places" not in said
    # The book has two places, also for a currency with three.
    settings.CURRENCY = "KWD"
    said = refused(write([good | {"currency": "KWD", "amount": "0.005"}]))
    assert "0.005 has more decimal places than KWD allows" in said


# Broken files


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ("", "payments.csv", "Missing columns: external_id (External ID), user (Email), amount"),
        (
            "external_id,user\n",
            "payments.csv",
            "columns: amount (Amount), currency (Currency), method",
        ),
        (
            "external_id,user,amount,currency,method,status\n",
            "payments.csv",
            "Missing columns: course_id/lesson_id.",
        ),
        (
            "external_id,user,amount,currency,method,status,course_id,colour\n",
            "payments.csv",
            "Unknown columns: 'colour'.",
        ),
        (
            "external_id,user,amount,currency,method,status,course_id,Course_id\n",
            "payments.csv",
            "A column appears twice: 'course_id'.",
        ),
        ('"external_id', "payments.csv", "The first line can't be read: unexpected end of data"),
        (b"\xff\xfee\x00x", "payments.csv", "The first line can't be read: this is not UTF-16"),
        (b"\x98\xff", "payments.csv", "The first line can't be read: this is not UTF-8"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "payments.xls",
            "Save it as .xlsx without a password.",
        ),
        (b"PK\x03\x04", "payments.xlsx", "This is not an XLSX file."),
        ("x" * 1024 * 1024, "payments.csv", "The first line can't be read: the line is too long"),
        ("", "payments.json", "This is not a list of payments in JSON and UTF-8."),
        ("{}", "payments.json", "This is not a list of payments in JSON and UTF-8."),
        (b"\xff\xfe[\x00", "payments.json", "This is not a list of payments in JSON and UTF-8."),
        ("[]", "payments.xml", "The file name must end in .json, .csv or .xlsx."),
    ],
)
def test_a_file_without_rows_is_one_clear_line(write, content, name, reason):
    said = refused(write(content, name))
    assert reason in said
    assert said.count("\n") == 1


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path):
    missing = tmp_path / "payments.csv"
    assert load(missing) == (f"{missing}: No such file or directory\n", False)
    assert load(tmp_path) == (f"{tmp_path}: Is a directory\n", False)


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b'A-2,"', "the file is broken here: unexpected end of data"),
        (b'A-2,"a"b', "the file is broken here: "),
        ("A-2,Вер".encode() + b"\xd0", "the file is broken here: this is not UTF-8"),
        ("A-2,Вера".encode("cp866"), "the file is broken here: this is not UTF-8"),
        (b"A-2," + b"x" * 2**21, "the file is broken here: the line is too long"),
        (b"A-2," + b"x" * 200_000, "the file is broken here: field larger than field limit"),
        (b"A-2,x", "there are 2 values for 11 columns"),
        (b"A-2" + b"," * 11 + b"x", "there are 12 values for 11 columns"),
    ],
)
def test_a_table_that_is_broken_further_down(write, good, tail, reason):
    path = write([good])
    said = refused(write(path.read_bytes() + tail))
    assert said.startswith(f"Row 2 (line 3): {reason}"), said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:-1], "expected a comma or the end of the list"),
        (lambda text: text[:-1] + b',{"a": 5', "Expecting ',' delimiter"),
        (lambda text: text[:-1] + b",]", "Expecting value"),
        (lambda text: text[:-1] + b",{'a': 1}]", "Expecting property name"),
        (lambda text: text[:-1] + b"{}]", "expected a comma or the end of the list"),
        (lambda text: text + b"]", "there is extra content after the list"),
        (lambda text: text + text, "there is extra content after the list"),
        (lambda text: text[:-1] + b',"\xc2"]', "this is not UTF-8"),
        (lambda text: text[:-1] + b",NaN]", "NaN is not valid JSON"),
        (lambda text: text[:-1] + b",[-Infinity]]", "-Infinity is not valid JSON"),
        (lambda text: text[:-1] + b',["' + b"x" * 2**21 + b'"]]', "Unterminated string"),
        (
            lambda text: text[:-1] + b"," + b"[" * 10**6,
            "a number is too long, or the nesting is too",
        ),
        (
            lambda text: text[:-1] + b"," + b'{"a":' * 10**5,
            "a number is too long, or the nesting is too",
        ),
    ],
)
def test_a_fixture_that_is_broken_further_down(write, good, payer, course, change, reason):
    names = ("external_id", "amount", "currency", "method", "status", "paid_at")
    fields = {name: good[name] for name in names} | {"payer": payer.pk, "course": course.pk}
    path = write([fields], "payments.json")
    said = refused(write(change(path.read_bytes()), "payments.json"))
    assert said.startswith(f"Row 2: the file is broken here: {reason}"), said

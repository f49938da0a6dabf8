"""`manage.py load_payments`: every bad row and broken file by its number and reason."""

import json

import pytest

from lms.models import Lesson
from payments.services.importing import loading
from payments.tests.loading.command import load, recorded, refused

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


# Bad rows


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("external_id", "", "external_id: is missing"),
        ("external_id", "x" * 101, "external_id: is longer than 100 characters"),
        ("external_id", "A-\x00", "external_id: contains characters that can't be stored"),
        ("user", "", "user: is missing"),
        ("user", "nobody@school.example", "user: there is no account nobody@school.example"),
        ("user", "999999", "user: there is no account 999999"),
        ("user", "Vera", "user: Vera is neither an email address nor an ID"),
        ("user", "٣", "user: ٣ is neither an email address nor an ID"),
        ("user", "-1", "user: -1 is neither an email address nor an ID"),
        ("course_id", "999999", "course_id: there is no course 999999"),
        ("course_id", "9" * 19, "course_id: 9999999999999999999 is not a valid ID"),
        ("course_id", str(2**63 - 1), "course_id: there is no course 9223372036854775807"),
        ("course_id", str(2**63), "course_id: 9223372036854775808 is not a valid ID"),
        ("course_id", "0", "course_id: 0 is not a valid ID"),
        ("course_id", "Bread", "course_id: Bread is not a valid ID"),
        ("course_id", "", "there must be either a course or a lesson"),
        ("lesson_id", "1", "there must be either a course or a lesson"),
        ("user", f"{'v' * 240}@school.example", "user: is longer than 254 characters"),
        ("method", "\x07\t x", "method: '\\x07\\t x' is not one of cash, transfer, stripe"),
        ("method", "g" * 40, f"method: {'g' * 40} is not one of cash, transfer, stripe"),
        ("method", "g" * 41, f"method: {'g' * 39}… is not one of cash, transfer, stripe"),
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
        ("amount", "1990,50", "amount: 1990,50 is not an amount like 1990.00"),
        ("amount", "٣", "amount: ٣ is not an amount"),
        ("currency", "", "currency: is missing"),
        ("currency", "EUR", "currency: EUR is not the currency of this school (RUB)"),
        ("currency", "rub", "currency: rub is not the currency of this school (RUB)"),
        ("method", "", "method: is missing"),
        ("method", "gold", "method: gold is not one of cash, transfer, stripe"),
        ("status", "lost", "status: lost is not one of pending, processing, paid, failed"),
        ("status", "pending", "paid_at: is given, but the payment was not made"),
        ("status", "processing", "paid_at: is given, but the payment was not made"),
        ("status", "failed", "paid_at: is given, but the payment was not made"),
        ("status", "expired", "paid_at: is given, but the payment was not made"),
        ("paid_at", "", "paid_at: is missing, but the payment was made"),
        ("paid_at", "06.10.2026", "paid_at: 06.10.2026 is not a time like"),
        ("paid_at", "2026-13-01", "paid_at: 2026-13-01 is not a time like"),
        ("paid_at", "0001-01-01T00:00:00+14:00", "paid_at: 0001-01-01T00:00:00+14:00 is not a time"),
        ("created_at", "9999-12-31T23:59:59Z", "created_at: 9999-12-31T23:59:59Z is not a time"),
        ("created_at", "1899-12-31T23:59:59Z", "created_at: 1899-12-31T23:59:59Z is not a time"),
        ("created_at", "2200-01-01T00:00:00Z", "created_at: 2200-01-01T00:00:00Z is not a time"),
        ("created_at", "soon", "created_at: soon is not a time like 2026-09-01T12:00:00+03:00"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_its_row(write, good, column, value, reason):
    bad = good | {"external_id": "A-2"} | {column: value}
    said = refused(write([good, bad]))
    assert said.startswith(f"Row 2 (line 3): {reason}"), said
    assert said.endswith("\nNothing was loaded.\n")
    assert said.count("\n") == 2


def test_a_lesson_that_is_not_there_is_named(write, good, course):
    """Whatever courses there are."""
    bad = good | {"course_id": "", "lesson_id": str(course.pk)}
    assert not Lesson.objects.exists()
    said = refused(write([bad, bad | {"external_id": "A-2", "user": "nobody@school.example"}]))
    assert said.splitlines()[:2] == [
        f"Row 1 (line 2): lesson_id: there is no lesson {course.pk}",
        (
            "Row 2 (line 3): user: there is no account nobody@school.example; "
            f"lesson_id: there is no lesson {course.pk}"
        ),
    ]


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
        ("amount", "1990.00 RUB", "amount: 1990.00 RUB is not an amount"),
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
        "method: gold is not one of cash, transfer, stripe"
    )


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_what_is_open_at_stripe_stays_there(write, good, status):
    """Its page and its session belong to the other book: nobody could ever pay it here."""
    said = refused(write([good | {"method": "stripe", "status": status, "paid_at": ""}]))
    assert "status: a payment that is still open at Stripe can't be imported" in said


def test_an_external_id_comes_once_in_a_file(write, good):
    rows = [good | {"external_id": f"A-{number}"} for number in range(1500)]
    said = refused(write([*rows, good | {"external_id": "A-7"}]))
    assert said.startswith("Row 1501 (line 1502): external_id: row 8 already has A-7\n")


@pytest.mark.parametrize("bad", [19, 20, 30])
def test_twenty_bad_rows_are_enough(write, good, bad):
    rows = [good | {"external_id": f"A-{number}", "amount": "x"} for number in range(bad)]
    said = refused(write(rows)).splitlines()
    told = min(bad, 20)
    assert said[told - 1].startswith(f"Row {told} (line {told + 1})")
    more = ["There may be more invalid rows after these."] if bad >= 20 else []
    assert said[told:] == [*more, "Nothing was loaded."]


def test_after_twenty_bad_rows_the_rest_is_not_looked_at(write, good, monkeypatch):
    monkeypatch.setattr(loading, "BATCH_SIZE", 10)
    rows = [good | {"external_id": f"A-{number}", "amount": "x"} for number in range(20)]
    rows += [good | {"external_id": "A-0"}]
    with recorded() as queries:
        said = refused(write(rows)).splitlines()
    assert said[20:] == ["There may be more invalid rows after these.", "Nothing was loaded."]
    assert not [sql for sql in queries if '"external_id" IN' in sql]


def test_a_bad_last_row_takes_back_all_before_it(write, good):
    rows = [good | {"external_id": f"A-{number}"} for number in range(2500)]
    said = refused(write([*rows, good | {"external_id": "A-x", "amount": "x"}]))
    assert said.startswith("Row 2501 (line 2502)")


def test_bad_rows_of_all_kinds_come_in_order(write, good):
    rows = [
        good | {"user": "nobody@school.example"},
        good | {"external_id": "A-2", "amount": "x"},
        good | {"external_id": "A-3", "course_id": "999999"},
    ]
    said = refused(write(rows)).splitlines()
    assert [line.split(":")[0] for line in said[:3]] == [
        "Row 1 (line 2)", "Row 2 (line 3)", "Row 3 (line 4)",
    ]  # fmt: skip


def test_columns_that_are_unknown_are_listed_in_short(write, good):
    names = [f"{letter}{'x' * 50}" for letter in "gfedcba"]
    listed = ", ".join(f"'{name[:40]}'" for name in sorted(names)[:5])
    said = refused(write([good | dict.fromkeys(names, "")]))
    assert said.endswith(f"Unknown columns: {listed}.\n")


def test_an_amount_must_fit_currencies_of_other_units(write, good, settings):
    settings.CURRENCY = "JPY"
    said = refused(write([good | {"currency": "JPY", "amount": "1990.50"}]))
    assert "1990.50 has more decimal places than JPY allows" in said
    # The book has two places, also for a currency with three.
    settings.CURRENCY = "KWD"
    said = refused(write([good | {"currency": "KWD", "amount": "1.005"}]))
    assert "1.005 has more decimal places than KWD allows" in said


# Broken files


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ("", "payments.csv", "Missing columns: external_id, user, amount"),
        ("external_id,user\n", "payments.csv", "columns: amount, currency, method"),
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
            "A column appears twice.",
        ),
        ('"external_id', "payments.csv", "The first line can't be read: unexpected end of data"),
        (b"\xff\xfee\x00x\x00", "payments.csv", "The first line can't be read: this is not UTF-8"),
        ("x" * 1024 * 1024, "payments.csv", "The first line can't be read: the line is too long"),
        ("", "payments.json", "This is not a list of payments in JSON and UTF-8."),
        ("{}", "payments.json", "This is not a list of payments in JSON and UTF-8."),
        (b"\xff\xfe[\x00", "payments.json", "This is not a list of payments in JSON and UTF-8."),
        ("[]", "payments.xml", "The file name must end in .json or .csv."),
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
        ("A-2,Вера".encode("cp1251"), "the file is broken here: this is not UTF-8"),
        (b"A-2," + b"x" * 2**21, "the file is broken here: the line is too long"),
        (b"A-2," + b"x" * 200_000, "the file is broken here: field larger than field limit"),
        (b"A-2,x", "there are 2 values for 11 columns"),
        (b"A-2" + b"," * 11, "there are 12 values for 11 columns"),
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

"""Payments from tables in the admin: what is in them is shown first, and then it is loaded."""

import csv
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest
import time_machine
from django.contrib.messages import get_messages
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from lms.models import Access
from lms.tests.factories import CourseFactory
from payments.admin import importing
from payments.models import ClosedMonth, Payment, PaymentMove
from payments.services.importing import files
from payments.services.importing import rows as sound_rows
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from project.common.background import retention

pytestmark = pytest.mark.django_db

HEADER = ["external_id", "user", "course_id", "amount", "currency", "method", "status", "paid_at"]
PAGE = "admin:payments_payment_import_payments"


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


@pytest.fixture
def course(db):
    return CourseFactory.create(published=True, title="Bread")


@pytest.fixture
def rows(course, learner):
    return [
        HEADER,
        ["B-1", learner.email, course.pk, "1990.00", "RUB", "cash", "paid", "2026-09-01T12:00:00Z"],
        ["B-2", learner.email, course.pk, "5", "RUB", "transfer", "pending", ""],
    ]


def as_csv(rows, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def packed(book):
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def as_xlsx(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return packed(book)


def upload(client, content, **headers):
    """Choose a table; return the page that shows what is in it."""
    table = SimpleUploadedFile("book", content)
    return client.post(reverse(PAGE), {"table": table}, follow=True, headers=headers)


def address(response):
    """Of a page that was led to."""
    return response.redirect_chain[-1][0]


def shown(response):
    """What a page says, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_table_is_checked_then_loaded_and_gives_access(
    client_of, administrator, learner, course, rows, kind
):
    client = client_of(administrator)
    response = upload(client, as_csv(rows, ";") if kind == "csv" else as_xlsx(rows))
    text = shown(response)
    assert "All rows are valid" in text
    assert {"csv": "CSV, UTF-8, semicolons", "xlsx": "XLSX, sheet “Sheet”"}[kind] in text
    assert "Paid 1 · ₽1,990" in text
    assert "Pending 1 · ₽5" in text
    assert f"{learner.email} Bread ₽1,990 paid Sept. 1, 2026" in text
    assert not Payment.objects.exists()
    assert said(client.post(address(response))) == ["2 payments loaded, 0 already recorded."]
    paid = Payment.objects.get(external_id="B-1")
    assert (str(paid.amount), paid.status) == ("1990.00", "paid")
    access = Access.objects.active().get()
    assert (access.user, access.course, access.reference) == (learner, course, paid.reference)
    move = PaymentMove.objects.filter(payment=paid).get()
    assert (move.by, move.source) == (administrator, "import")
    # A second click.
    assert said(client.post(address(response)))[-1] == "0 payments loaded, 2 already recorded."
    assert Payment.objects.count() == 2


def test_all_that_is_wrong_is_named_and_nothing_is_loaded(client_of, administrator, rows):
    rows[2][3] = "cheap"
    rows += [["B-3", "nobody@school.example", *rows[1][2:]]] * 2
    client = client_of(administrator)
    response = upload(client, as_xlsx(rows))
    text = shown(response)
    assert "There is no account nobody@school.example (line 4)" in text
    assert "Row 2 (line 3): amount: cheap is not an amount like 1990.00" in text
    assert "Row 4 (line 5): external_id: line 4 already has B-3" in text
    assert "Load " not in text
    again = client.post(address(response))
    assert said(again) == ["Nothing was loaded."]
    assert not Payment.objects.exists()


def test_what_became_bad_since_the_preview_is_not_loaded(client_of, administrator, rows, course):
    client = client_of(administrator)
    response = upload(client, as_csv(rows))
    course.delete()
    response = client.post(address(response))
    assert said(response) == ["Nothing was loaded."]
    assert "There is no course" in response.text
    assert not Payment.objects.exists()


def test_the_preview_says_what_is_to_be_known(client_of, administrator, rows, learner, course):
    ClosedMonth.objects.create(month="2026-09-01")
    made = PaymentFactory.create(
        payer=learner, course=course, external_id="B-3", amount=5, refunded=True
    )
    rows += [
        ["B-3", learner.email, course.pk, "5", "RUB", "cash", "paid", "2026-10-01"],
        ["B-4", learner.email, course.pk, "5", "RUB", "stripe", "pending", ""],
        ["Total", "", "", "2000", "", "", "", ""],
    ]
    text = shown(upload(client_of(administrator), as_csv(rows)))
    assert (
        "1 payment was made in a closed month and counts in the first open one (October 2026)."
        in text
    )
    assert "Row 3 (line 4): B-3 is here: refunded, in the file: paid" in text
    assert "1 order is open at Stripe and left out." in text
    assert "1 line is a total and was passed over." in text
    made.refresh_from_db()
    assert made.status == "refunded"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"user,amount\n", "Missing columns"),
        (b"\x98\xff\x00", "The first line can&#x27;t be read"),
        (b"PK\x03\x04no archive", "This is not an XLSX file."),
        (files.OLE + b"\0" * 600, "Save it as .xlsx without a password."),
    ],
)
def test_a_file_without_payments_is_refused_in_words(client_of, administrator, content, reason):
    response = upload(client_of(administrator), content)
    assert response.status_code == 200
    assert reason in response.text


def test_a_table_for_the_command_is_sent_there(client_of, administrator, rows, monkeypatch):
    monkeypatch.setattr(importing, "MOST_ROWS", 1)
    response = upload(client_of(administrator), as_csv(rows))
    assert "There are more than 1 rows: use manage.py load_payments." in response.text
    monkeypatch.setattr(importing, "MOST_BYTES", 1)
    response = upload(client_of(administrator), as_csv(rows))
    assert "use manage.py load_payments" in response.text


def test_a_table_is_kept_for_its_person_for_a_day(client_of, administrator, rows):
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC)) as clock:
        client = client_of(administrator)
        kept = address(upload(client, as_csv(rows)))
        assert client.get(kept).status_code == 200
        other = UserFactory.create(is_staff=True, is_superuser=True)
        gone = ["The file is no longer available. Choose it again."]
        answer = client_of(other).get(kept)
        assert said(answer) == gone
        assert said(client.get(kept + "x")) == gone
        assert retention.forget_old_uploads() == 0
        clock.shift(timedelta(days=1, minutes=1))
        client = client_of(administrator)
        assert said(client.get(kept)) == gone
        folder = f"tables/{administrator.pk}"
        assert len(storages["private"].listdir(folder)[1]) == 1
        assert retention.forget_old_uploads() == 1
        assert storages["private"].listdir(folder)[1] == []


def test_who_was_logged_out_finds_the_table_again(client_of, client, administrator, rows):
    kept = address(upload(client_of(administrator), as_csv(rows)))
    response = client.post(kept)
    assert response.status_code == 302
    assert "login" in response.url
    assert "next=" in response.url
    assert not Payment.objects.exists()
    assert "Load 2 payments" in client_of(administrator).get(kept).text


def test_who_may_look_may_not_import(client_of, support, moderator, administrator, rows):
    client = client_of(support)
    listed = reverse("admin:payments_payment_changelist")
    assert reverse(PAGE) not in client.get(listed).text
    assert reverse(PAGE) in client_of(administrator).get(listed).text
    kept = address(upload(client_of(administrator), as_csv(rows)))
    for page in (reverse(PAGE), kept, reverse("admin:payments_payment_import_template")):
        for who in (support, moderator):
            assert client_of(who).get(page).status_code == 403
    assert client.post(kept).status_code == 403
    assert not Payment.objects.exists()


@pytest.mark.parametrize("kind", ["xlsx", "csv", "semicolons"])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_template_can_be_filled_in_and_its_example_is_refused(
    client_of, administrator, course, learner, kind, language
):
    client = client_of(administrator)
    client.post(reverse("set_language"), {"language": language})
    address = reverse("admin:payments_payment_import_template")
    content = client.get(address, {"format": kind}).getvalue()
    text = shown(upload(client, content))
    refusal = {
        "en": "Row 1 (line 2): this is the example of the template: delete this row",
        "ru": "Запись 1 (строка файла 2): это пример из шаблона: удалите эту строку",
    }[language]
    assert refusal in text
    # It is sound but for that.
    example = next(iter(files.open_table(io.BytesIO(content)).rows))
    own = {"external_id": "B-1", "user": learner.email, "course_id": course.pk}
    row = sound_rows.Row(1, {**example.values, **own}, 2)
    draft = sound_rows.read_row(row, timezone.now())
    assert (draft.method, draft.status) == ("transfer", "paid")
    assert draft.refunded_amount == 500


# Workbooks as people and programs make them


def loaded(client, book):
    """Load a workbook; return the payments by their external ids."""
    response = upload(client, book if isinstance(book, bytes) else packed(book))
    assert "All rows are valid" in response.text, shown(response)
    client.post(address(response))
    return {payment.external_id: payment for payment in Payment.objects.all()}


def test_cells_are_read_as_they_are_shown(client_of, administrator, rows):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Notes"
    sheet.sheet_state = "hidden"
    sheet.append(["nothing to see"])
    sheet = book.create_sheet("ПЛАТЕЖИ")
    sheet["A1"] = "ООО «Школа»"
    sheet.merge_cells("A1:H1")
    sheet.append([])
    sheet.append(HEADER)
    course_id, email = rows[1][2], rows[1][1]
    for number, (amount, day) in enumerate(
        [(4900, datetime(2026, 11, 20, 14, 3)), (0.1 + 0.2, 46346), (1990.1, 46346.5)]  # noqa: DTZ001
    ):
        sheet.append([17 + number, email, course_id, amount, "RUB", "cash", "paid", day])
    sheet.append([" "] * 8)
    sheet["D1000"].number_format = "0.00"
    sheet.append(["Итого:", None, None, 6890.4])
    with time_machine.travel(datetime(2026, 11, 21, tzinfo=UTC), tick=False):
        payments = loaded(client_of(administrator), book)
    assert {name: (str(one.amount), one.paid_at) for name, one in payments.items()} == {
        "17": ("4900.00", datetime(2026, 11, 20, 11, 3, tzinfo=UTC)),
        "18": ("0.30", datetime(2026, 11, 19, 21, tzinfo=UTC)),
        "19": ("1990.10", datetime(2026, 11, 20, 9, tzinfo=UTC)),
    }


def test_days_of_the_calendar_of_macintoshs_are_read(client_of, administrator, rows):
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.active.append(HEADER)
    for number, day in enumerate([datetime(2026, 9, 1), 44804]):  # noqa: DTZ001
        book.active.append([f"B-{number}", *rows[1][1:7], day])
    payments = loaded(client_of(administrator), book)
    assert {one.paid_at for one in payments.values()} == {datetime(2026, 8, 31, 21, tzinfo=UTC)}


def test_formulas_are_never_computed_and_their_results_are_read(client_of, administrator, rows):
    content = as_xlsx([HEADER, ["B-1", *rows[1][1:3], "=1000+990", *rows[1][4:]]])
    text = shown(upload(client_of(administrator), content))
    assert "Row 1 (line 2): amount: the cell has a formula without a result" in text
    with_result = changed(content, SHEET, lambda xml: xml.replace(b"<v/>", b"<v>1990</v>"))
    with_result = changed(with_result, SHEET, lambda xml: xml.replace(b"<v />", b"<v>1990</v>"))
    assert str(loaded(client_of(administrator), with_result)["B-1"].amount) == "1990.00"


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, 12345678901234567890, "external_id: 1.23456789012346E+19 was shortened"),
        (3, True, "amount: True is not an amount"),
        (3, datetime(2026, 5, 1), "amount: 2026-05-01 00:00:00 is not an amount"),  # noqa: DTZ001
        (4, "#N/A", "currency: the formula in the cell ends with the error #N/A"),
        (7, "=cmd|'/c calc'!A1", "paid_at: the cell has a formula without a result"),
        (7, 12, "paid_at: 12 is not a time"),
    ],
)
def test_a_bad_cell_is_named(client_of, administrator, rows, place, value, reason):
    rows[1][place] = value
    assert f"Row 1 (line 2): {reason}" in shown(upload(client_of(administrator), as_xlsx(rows)))


SHEET = "xl/worksheets/sheet1.xml"


def changed(content, name, change):
    """An XLSX file with one of its parts changed."""
    whole, written = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as parts:
        for part in whole.namelist():
            text = whole.read(part)
            parts.writestr(part, change(text) if part == name else text)
    return written.getvalue()


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("[Content_Types].xml", lambda text: text[:40]),
        ("xl/workbook.xml", lambda text: b"<workbook"),
        ("xl/styles.xml", lambda text: text[:-20]),
        (SHEET, lambda text: b""),
        (SHEET, lambda text: text.replace(b'r="A2"', b'r="2A"')),
    ],
)
def test_a_damaged_xlsx_is_said_to_be_none(client_of, administrator, rows, part, change):
    content = changed(as_xlsx(rows), part, change)
    response = upload(client_of(administrator), content)
    assert response.status_code == 200
    assert (
        "This is not an XLSX file." in response.text or "the file is broken here" in response.text
    )
    assert not Payment.objects.exists()


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda xml: xml + b" " * 40_000_000, "The workbook is too large"),
        (
            lambda xml: BOMB.encode() + xml.replace(b"<sheetData>", b"<sheetData>&i;"),
            "This is not an XLSX file.",
        ),
        (
            lambda xml: (
                b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                + xml.replace(b"<sheetData>", b"<sheetData>&e;")
            ),
            "This is not an XLSX file.",
        ),
        (lambda xml: xml.replace(b'<row r="3"', b'<row r="999999999999"'), None),
    ],
    ids=["unpacked", "entities", "foreign file", "row far below"],
)
def test_an_attack_is_refused_in_words(client_of, administrator, rows, change, reason):
    response = upload(client_of(administrator), changed(as_xlsx(rows), SHEET, change))
    assert response.status_code == 200
    assert reason is None or reason in response.text
    assert "root:" not in response.text


def test_wide_rows_and_long_cells_are_read_as_far_as_columns_go(client_of, administrator, rows):
    wide = [row + [None] * (10_000 - len(row)) for row in rows]
    wide[2][9_000] = "x" * 100
    assert "All rows are valid" in upload(client_of(administrator), as_xlsx(wide)).text
    rows[1][0] = "x" * 30_000
    text = shown(upload(client_of(administrator), as_xlsx(rows)))
    assert "external_id: is longer than 100 characters" in text

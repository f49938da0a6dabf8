"""Payments from tables in the admin."""

import csv
import io
import re
import zipfile

import openpyxl
import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from lms.models import Access
from lms.tests.factories import CourseFactory
from payments.admin import formats
from payments.models import Payment, PaymentMove

pytestmark = pytest.mark.django_db

CSV, XLSX = "0", "1"
HEADER = ["external_id", "user", "course_id", "amount", "currency", "method", "status", "paid_at"]


def page(name):
    return reverse(f"admin:payments_payment_{name}")


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


@pytest.fixture
def course(db):
    return CourseFactory.create(published=True)


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


def as_xlsx(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def upload(client, content, kind=CSV):
    file = SimpleUploadedFile("book", content)
    return client.post(page("import"), {"import_file": file, "format": kind, "resource": ""})


def damaged(content, name, change):
    """An XLSX file with one of its parts changed."""
    whole, written = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(written, "w") as parts:
        for part in whole.namelist():
            text = whole.read(part)
            parts.writestr(part, change(text) if part == name else text)
    return written.getvalue()


def confirm(client, response):
    """Press the button under the preview."""
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', response.text))
    return client.post(page("process_import"), fields)


@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_a_table_is_checked_then_loaded_and_gives_access(
    client_of, administrator, learner, course, rows, kind
):
    client = client_of(administrator)
    response = upload(client, as_csv(rows, ";") if kind == CSV else as_xlsx(rows), kind)
    assert "All rows are valid" in response.text
    assert not Payment.objects.exists()
    assert said(confirm(client, response)) == ["2 payments loaded, 0 already recorded."]
    paid = Payment.objects.get(external_id="B-1")
    assert (str(paid.amount), paid.status) == ("1990.00", "paid")
    access = Access.objects.active().get()
    assert (access.user, access.course, access.reference) == (learner, course, paid.reference)
    move = PaymentMove.objects.filter(payment=paid).get()
    assert (move.by, move.source) == (administrator, "import")
    again = upload(client, as_csv(rows))
    assert said(confirm(client, again)) == ["0 payments loaded, 2 already recorded."]
    assert Payment.objects.count() == 2


@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_one_bad_row_is_named_and_nothing_is_loaded(client_of, administrator, rows, kind):
    rows[2][3] = "cheap"
    content = as_csv(rows) if kind == CSV else as_xlsx(rows)
    response = upload(client_of(administrator), content, kind)
    assert "Row 2 (line 3): amount: cheap is not an amount like 1990.00" in response.text
    assert "Load payments" not in response.text
    assert not Payment.objects.exists()


def test_what_became_bad_since_the_preview_is_not_loaded(client_of, administrator, rows, course):
    client = client_of(administrator)
    response = upload(client, as_csv(rows))
    course.delete()
    messages = said(confirm(client, response))
    assert messages[0].startswith("There is no course")
    assert messages[-1] == "Nothing was loaded."
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"user,amount\n", CSV, "Missing columns"),
        (b"\xff\xfe\x00", CSV, "The first line can&#x27;t be read"),
        (b"no archive", XLSX, "This is not an XLSX file."),
    ],
)
def test_a_file_without_payments_is_refused_in_words(
    client_of, administrator, content, kind, reason
):
    response = upload(client_of(administrator), content, kind)
    assert response.status_code == 200
    assert reason in response.text


def test_a_table_for_the_command_is_sent_there(client_of, administrator, rows, monkeypatch):
    monkeypatch.setattr(formats, "MOST_ROWS", 1)
    response = upload(client_of(administrator), as_csv(rows))
    assert "There are more than 1 rows: use manage.py load_payments." in response.text


def test_a_lost_file_is_asked_for_again(client_of, administrator, rows):
    client = client_of(administrator)
    response = upload(client, as_csv(rows))
    confirm(client, response)
    messages = said(confirm(client, response))
    assert messages[-1] == "The file is no longer available. Choose it again."


def test_who_may_look_may_not_import(client_of, support, moderator, rows):
    client = client_of(support)
    assert page("import") not in client.get(page("changelist")).text
    assert upload(client, as_csv(rows)).status_code == 403
    assert client.post(page("process_import"), {}).status_code == 403
    assert client_of(moderator).get(page("import")).status_code == 403


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("[Content_Types].xml", lambda text: text[:40]),
        ("xl/workbook.xml", lambda text: b"<workbook"),
        ("xl/styles.xml", lambda text: text[:-20]),
        (SHEET, lambda text: b""),
        (SHEET, lambda text: text[: len(text) // 2]),
        (SHEET, lambda text: text.replace(b'r="A2"', b'r="2A"')),
    ],
)
def test_a_damaged_xlsx_is_said_to_be_none(client_of, administrator, rows, part, change):
    content = damaged(as_xlsx(rows), part, change)
    response = upload(client_of(administrator), content, XLSX)
    assert response.status_code == 200
    assert "This is not an XLSX file." in response.text
    assert not Payment.objects.exists()

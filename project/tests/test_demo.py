"""The demo school is one that our own rules accept, and nobody can enter it by accident."""

import io
import json
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from lms.models import Access, Completion, Course, Lesson, Subscription
from lms.tests.factories import CourseFactory
from payments.models import Dispute, Payment, PaymentStatus, Refund
from payments.services import books, refunds
from people.models import BlockReason, User
from people.models.users import DEMO_PASSWORD
from project import demo
from project.common.money import shown
from project.mail.models import Delivery, RefusedAddress
from project.school.models import School
from project.school.tests.factories import SchoolFactory
from project.tests.spreadsheets import content_of, lines_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def _development(settings: Any, moderators: None) -> None:
    settings.DEBUG = True


def test_group_of_moderators_has_exactly_its_permissions(moderators: None) -> None:
    group = Group.objects.get(name="moderators")
    permissions = group.permissions.values_list("content_type__app_label", "codename")
    assert set(permissions) == {
        ("lms", "view_course"),
        ("lms", "change_course"),
        ("lms", "view_lesson"),
        ("lms", "change_lesson"),
    }


@pytest.mark.usefixtures("_development")
def test_demo_school_has_all_roles_and_they_can_log_in() -> None:
    accounts = demo.load()
    roles = [account.role for account in accounts]
    assert roles[:4] == ["administrator", "moderator", "author", "author"]
    assert set(roles[4:]) == {"learner"}
    for account in accounts:
        assert User.objects.by_email(account.email).get().check_password(account.password)
    validate_password(DEMO_PASSWORD, User.objects.get(email="admin@parta.example"))


@pytest.mark.usefixtures("_development")
def test_demo_school_keeps_the_rules_of_the_models() -> None:
    demo.load()
    for model in (School, User, Course, Lesson, Subscription, Payment):
        rows = list(model._default_manager.all())
        assert rows
        for row in rows:
            row.full_clean()
    assert Course.objects.filter(is_published=False).count() == 1
    for payment in Payment.objects.select_related("course", "lesson"):
        bought = payment.course or payment.lesson
        assert bought is not None
        assert (payment.title, payment.amount) == (bought.title, bought.price)


@pytest.mark.usefixtures("_development")
@pytest.mark.parametrize("today", ["2026-11-20", "2029-02-28"])
def test_the_last_month_of_the_demo_school_ends_today(today: str) -> None:
    with time_machine.travel(f"{today}T10:00:00Z", tick=False):
        demo.load()
        now = timezone.now()
    newest = Payment.objects.latest("created_at").created_at
    assert timedelta(0) <= now - newest < timedelta(days=1)
    lately = Payment.objects.filter(paid_at__gt=now - timedelta(days=30))
    assert lately.filter(status=PaymentStatus.PAID).count() == 8
    learner = User.objects.earliest("-date_joined")
    assert learner.date_joined < Payment.objects.filter(payer=learner).earliest("id").created_at
    assert not Course.objects.exclude(materials_updated_at=F("updated_at")).exists()


@pytest.mark.usefixtures("_development")
def test_the_demo_school_shows_what_a_school_has_to_do_with() -> None:
    demo.load()
    for course in Course.objects.all():
        with course.preview.open() as picture:
            assert picture.read(4) == b"RIFF"
    assert Lesson.objects.filter(description__contains="## ").exists()
    edit = Lesson.objects.get(pk=demo.EDITED).history.latest()
    assert edit.history_user.is_staff
    assert edit.prev_record.description != edit.description
    assert Delivery.objects.failed().count() == 2
    assert RefusedAddress.objects.exclude(stopped_at=None).count() == 1
    assert Dispute.objects.to_answer().count() == 1
    assert Refund.objects.exclude(amount=F("payment__amount")).count() >= 3
    assert User.objects.soon_blocked().count() == 3
    reasons = set(User.objects.blocked().values_list("blocked_reason", flat=True))
    assert reasons == {BlockReason.STAFF, BlockReason.INACTIVITY}
    assert Completion.objects.count() > 20
    assert len(Payment.objects.dates("paid_at", "month")) >= 5
    assert set(User.objects.values_list("language", flat=True)) == {"en", "ru"}


@pytest.mark.usefixtures("_development")
def test_second_start_tells_the_accounts_and_loads_nothing() -> None:
    first = demo.load()
    changed = User.objects.get(email="kim@parta.example")
    changed.set_password("something of my own")
    changed.save()
    Lesson.objects.get(pk=1).delete()
    second = demo.load()
    assert set(first) - set(second) == {
        account for account in first if account.email == changed.email
    }
    assert not Lesson.objects.filter(pk=1).exists()


@pytest.mark.usefixtures("_development")
def test_nothing_is_loaded_where_there_are_people(author: User) -> None:
    assert demo.load() == []
    assert list(User.objects.all()) == [author]


def test_without_debug_the_password_is_random_and_told_once(moderators: None) -> None:
    (password,) = {account.password for account in demo.load()}
    assert password != DEMO_PASSWORD
    assert len(password) == 20
    assert demo.load() == []


def test_fixture_holds_no_password(moderators: None) -> None:
    rows = json.loads((django_settings.BASE_DIR / "fixtures" / "demo.json").read_text())
    assert {row["fields"]["password"] for row in rows if row["model"] == "people.user"} == {"!"}
    call_command("loaddata", "demo", verbosity=0)
    assert not any(user.has_usable_password() for user in User.objects.all())


@pytest.mark.usefixtures("moderators")
@pytest.mark.parametrize("today", ["2026-11-20", "2027-03-02"])
def test_each_month_of_the_demo_school_adds_up_in_page_and_tables(
    client_of: Any, today: str
) -> None:
    """What came in it, less what was given back in it, though it came in a month before."""
    with time_machine.travel(f"{today}T10:00:00Z", tick=False):
        demo.load()
        client = client_of(User.objects.filter(is_superuser=True).first())
        moved: dict[str, Decimal] = defaultdict(Decimal)
        crossing = 0
        for payment in Payment.objects.exclude(paid_at=None):
            moved[f"{timezone.localtime(payment.paid_at):%Y-%m}"] += payment.amount
        for refund in Refund.objects.select_related("payment"):
            paid, given = (
                timezone.localtime(at) for at in (refund.payment.paid_at, refund.settled_at)
            )
            moved[f"{given:%Y-%m}"] -= refund.amount
            crossing += (paid.year, paid.month) != (given.year, given.month)
        assert crossing >= 2
        assert len(moved) >= 3
        for month, amount in moved.items():
            page = client.get(f"/admin/payments/closedmonth/{month}/")
            [(methods, days)] = page.context["tables"]
            for table in (methods, days):
                [total] = table.totals
                assert total.cells[-1].text == shown(amount, "RUB", in_column=True), month
            address = page.context["export_url"]
            book = openpyxl.load_workbook(
                io.BytesIO(content_of(client.post(address, {"format": "xlsx"})))
            )
            for sheet, column in zip(book.worksheets, ("Amount", "Net"), strict=True):
                head, *rows = sheet.values
                cells = [row[head.index(column)] for row in rows]
                assert sum(Decimal(str(cell)) for cell in cells) == amount, month
            head, *lines = lines_of(client.post(address, {"format": "csv"}))
            assert sum(Decimal(line[head.index("Amount")]) for line in lines) == amount, month


@pytest.mark.usefixtures("moderators")
def test_the_money_and_the_access_of_the_demo_school_agree() -> None:
    demo.load()
    found = [each.kind for each in books.find_in_books()]
    assert set(found) <= {"open_too_long"}
    assert Access.objects.active().filter(source="payment").exists()


def test_the_demo_school_takes_no_account_that_is_there_already(moderators: None) -> None:
    call_command("csu", email="boss@school.example", password="Str0ng-pass-9x")
    before = User.objects.values().get()
    call_command("loaddata", "demo", verbosity=0)
    assert User.objects.values().get(email="boss@school.example") == before
    assert User.objects.get(pk=before["id"]).check_password("Str0ng-pass-9x")
    assert User.objects.count() == 33
    call_command("load_payments")


def test_the_default_file_says_what_it_needs_first(moderators: None) -> None:
    call_command("csu", email="boss@school.example", password="Str0ng-pass-9x")
    with pytest.raises(CommandError, match="loaddata demo"):
        call_command("load_payments")
    assert not Payment.objects.exists()


def test_without_debug_the_known_password_lets_nobody_in(
    api: Any, client: Any, settings: Any, moderators: None
) -> None:
    settings.DEBUG = True
    boss = next(each for each in demo.load() if each.role == "administrator")
    body = {"email": boss.email, "password": DEMO_PASSWORD}
    form = {"username": boss.email, "password": DEMO_PASSWORD}
    assert api(None).post("auth/token", body).status_code == 200
    settings.DEBUG = False
    assert api(None).post("auth/token", body).json()["code"] == "invalid_credentials"
    assert client.post("/admin/login/", form).status_code == 200
    assert "_auth_user_id" not in client.session
    own = User.objects.get(email=boss.email)
    own.set_password("something of my own")
    own.save()
    body["password"] = form["password"] = "something of my own"
    assert api(None).post("auth/token", body).status_code == 200
    assert client.post("/admin/login/", form).status_code == 302


def test_the_dashboard_says_that_the_demo_is_there(
    client_of: Any, settings: Any, moderators: None
) -> None:
    demo.load()
    browser = client_of(User.objects.filter(is_superuser=True).first())
    words = "accounts of the demo school are still here"
    assert words in browser.get("/admin/").text
    settings.DEBUG = True
    assert words not in browser.get("/admin/").text


def test_a_fixture_names_the_people_and_courses_that_it_lacks() -> None:
    with pytest.raises(CommandError) as refused:
        call_command("loaddata", "payments", verbosity=0)
    words = ("person vera@parta.example", "course 2", "lesson 14", "loaddata groups demo")
    assert [word for word in words if word not in str(refused.value)] == []
    assert not Payment.objects.exists()


def test_a_fixture_names_the_group_that_it_lacks() -> None:
    with pytest.raises(CommandError, match="group moderators"):
        call_command("loaddata", "demo", verbosity=0)
    assert not User.objects.exists()


def test_payments_of_a_fixture_give_access(moderators: None) -> None:
    out = StringIO()
    call_command("loaddata", "demo", "payments", stdout=out)
    assert "accesses were given for what is paid." in out.getvalue()
    found = {each.kind for each in books.find_in_books()}
    assert found <= {"open_too_long"}
    assert Payment.objects.get(external_id="LEDGER-2026-001").status == "paid"


def test_a_school_keeps_its_name_when_the_demo_school_is_loaded(moderators: None) -> None:
    SchoolFactory.create(name="Oak School")
    with pytest.raises(CommandError, match="school 1 is another one here"):
        call_command("loaddata", "demo", verbosity=0)
    assert School.objects.get().name == "Oak School"
    assert not User.objects.exists()


def test_a_dump_has_the_school(tmp_path: Path) -> None:
    SchoolFactory.create(name="Oak School", daily_mail_hour=7)
    before = School.objects.values().get()
    dump = tmp_path / "dump.json"
    call_command("dumpdata", "school", output=dump)
    School.objects.all().delete()
    for _twice in range(2):
        call_command("loaddata", dump, verbosity=0)
        assert School.objects.values().get() == before


def test_a_school_keeps_its_courses_when_the_demo_school_is_loaded(moderators: None) -> None:
    mine = CourseFactory.create(pk=3, title="Mine")
    before = Course.objects.values().get()
    with pytest.raises(CommandError, match="course 3 is another one here"):
        call_command("loaddata", "demo", verbosity=0)
    assert Course.objects.values().get() == before
    assert list(User.objects.all()) == [mine.owner]


def test_a_fixture_edits_no_payment_of_the_book(moderators: None, administrator: User) -> None:
    call_command("loaddata", "demo", "payments", verbosity=0)
    call_command("loaddata", "payments", verbosity=0)
    payment = Payment.objects.get(external_id="LEDGER-2026-001")
    refunds.refund_payment(payment=payment, by=administrator, reason="Sorry")
    with pytest.raises(CommandError, match="is another one here"):
        call_command("loaddata", "payments", verbosity=0)
    payment.refresh_from_db()
    assert payment.status == "refunded"


def test_who_has_a_password_keeps_it_when_the_demo_school_is_loaded(moderators: None) -> None:
    call_command("csu", email="admin@parta.example", password="Str0ng-pass-9x")
    call_command("loaddata", "demo", verbosity=0)
    assert User.objects.get(email="admin@parta.example").check_password("Str0ng-pass-9x")

"""Times are shown, and those that staff type are read, in the school's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localtime
from playwright.sync_api import expect

from lms.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from project.admin_site import statistics
from project.mail.kinds import render
from project.school.current import forget_school
from project.school.models import School
from project.school.services import update_school
from project.school.tests.factories import SchoolFactory

pytestmark = pytest.mark.django_db

# In Tokyo, nine hours ahead, it is half past eight in the morning of the next day.
LATE = datetime(2026, 4, 30, 23, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_tokyo():
    SchoolFactory.create(time_zone="Asia/Tokyo")


@pytest.fixture
def payment():
    return PaymentFactory.create(paid=True, paid_at=LATE)


def test_the_admin_shows_times_in_it(client_of, administrator, payment):
    page = client_of(administrator).get(reverse("admin:payments_payment_change", args=[payment.pk]))
    assert "May 1, 2026, 08:30" in page.text


def test_the_clock_is_put_back_after_a_page_of_the_admin(client_of, administrator, settings):
    client_of(administrator).get("/admin/")
    assert timezone.get_current_timezone_name() == settings.TIME_ZONE


@pytest.mark.parametrize(("day", "found"), [("2026-04-30", False), ("2026-05-01", True)])
def test_a_day_that_staff_type_is_one_of_the_school(client_of, administrator, payment, day, found):
    address = reverse("admin:payments_payment_changelist")
    page = client_of(administrator).get(address, {"paid_at_from": day, "paid_at_to": day})
    assert (payment.payer.email in page.text) == found


def test_a_time_without_an_offset_in_a_table_is_the_school_s(tmp_path):
    person, course = UserFactory.create(), CourseFactory.create()
    table = tmp_path / "payments.csv"
    table.write_text(
        "external_id,user,course_id,amount,currency,method,status,paid_at\n"
        f"1,{person.email},{course.pk},5.00,RUB,cash,paid,2026-05-01 08:30\n"
    )
    call_command("load_payments", table)
    assert Payment.objects.get().paid_at == LATE


def test_a_receipt_has_the_day_of_the_school(client, payment):
    page = client.get(reverse("payments:receipt", args=[payment.token]))
    assert "May 1, 2026" in page.text


def test_the_days_of_the_dashboard_are_the_school_s(payment, time_machine):
    time_machine.move_to(LATE)
    assert [day for day, *_sums in statistics.count("payments")] == ["2026-05-01"]


def test_a_new_zone_is_seen_on_the_next_page(
    client_of, administrator, payment, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        update_school(changes={"time_zone": "America/New_York"})
    page = client_of(administrator).get(reverse("admin:payments_payment_change", args=[payment.pk]))
    assert "April 30, 2026, 19:30" in page.text


@pytest.mark.parametrize(
    ("language", "zone", "told"),
    [
        ("en", "Asia/Tokyo", "Times: Tokyo (UTC+9)"),
        ("ru", "Europe/Moscow", "Время: Москва (UTC+3)"),
        ("ru", "Asia/Tehran", "Время: Тегеран (UTC+3:30)"),
        ("en", "America/Caracas", "Times: Caracas (UTC−4)"),
        ("ru", "UTC", "Время: UTC<"),
    ],
)
def test_each_page_of_the_admin_says_whose_times_it_shows(
    client_of, administrator, language, zone, told
):
    School.objects.update(time_zone=zone)
    forget_school()
    administrator.language = language
    administrator.save()
    assert told in client_of(administrator).get(reverse("admin:payments_payment_changelist")).text


def test_a_mail_with_a_time_says_whose_it_is():
    text = render("invitation", "ru", {"expires_at": LATE, "person": UserFactory.build()}).text
    assert "до 1 мая 2026, 08:30, Токио (UTC+9), и" in text


@pytest.mark.browser
@pytest.mark.any_database
def test_who_has_another_clock_reads_their_own_time_too(page, enter, administrator, payment):
    enter(administrator)
    clock = page.context.new_cdp_session(page)
    line, beside = page.locator("#parta-zone"), page.locator("time:has(+ .parta-own-time) + *")
    address = reverse("admin:payments_payment_change", args=[payment.pk])
    for zone, of_paid in (
        ("Asia/Tokyo", []),
        ("Asia/Seoul", []),
        ("Europe/Berlin", [" · 01:30 where you are"]),
        ("America/New_York", [" · April 30 at 19:30 where you are"]),
    ):
        clock.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
        page.goto(address)
        paid = page.locator(
            f'time[datetime="{localtime(LATE, ZoneInfo("Asia/Tokyo")).isoformat()}"] + .parta-own-time'
        )
        assert {*paid.all_text_contents()} == {*of_paid}
        assert ("where you are" in line.inner_text()) == bool(of_paid)
    # In a list the line is enough; nor does Django's own word about it stand over the filters.
    page.goto(reverse("admin:payments_payment_changelist"))
    expect(line).to_contain_text("where you are")
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("From").first).to_be_visible()
    expect(page.locator(".timezonewarning").first).to_be_hidden()
    assert beside.count() == 0

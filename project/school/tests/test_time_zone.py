"""Times are shown, and those that staff type are read, in the school's time zone."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from lms.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from project.admin_site import statistics
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
    assert "May 1, 2026, 8:30 a.m." in page.text


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
    assert "April 30, 2026, 7:30 p.m." in page.text

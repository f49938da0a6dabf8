"""Addresses of the admin that nobody's page links to: mistyped, cut, or made by hand."""

import pytest
from django.urls import reverse

from lms.tests.factories import CourseFactory
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db

LISTS = (
    "lms/course",
    "lms/lesson",
    "lms/access",
    "people/user",
    "payments/payment",
    "payments/stripeevent",
    "mail/mailing",
    "mail/delivery",
    "django_q/failure",
)
CHOICES = (
    "lms/access/people",
    "lms/access/courses",
    "lms/access/lessons",
    "lms/course/authors",
    "payments/payment/payers",
    "payments/payment/courses",
)


@pytest.mark.parametrize(
    "address",
    [
        *(f"{name}/?term=a%00b" for name in CHOICES),
        *(f"{name}/%00/change/" for name in LISTS),
        "search/?s=a%00",
        "autocomplete/?app_label=lms&model_name=course&field_name=owner&term=a%00",
        "mail/mailing/?kind=a%00b",
        "payments/payment/?status__exact=a%00b",
    ],
)
def test_a_nul_in_the_address_is_a_bad_request(client_of, administrator, address):
    assert client_of(administrator).get(f"/admin/{address}").status_code == 400


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("key", ["abc", "1.5", "None", str(10**30)])
def test_the_page_of_no_row_leads_back_to_the_dashboard(client_of, administrator, name, key):
    response = client_of(administrator).get(f"/admin/{name}/{key}/change/")
    assert (response.status_code, response["Location"]) == (302, reverse("admin:index"))


@pytest.mark.parametrize(
    "name", ["block", "unblock", "password-reset", "give-roles", "take-roles", "erase"]
)
def test_nothing_is_done_to_nobody(client_of, administrator, name):
    assert client_of(administrator).post(f"/admin/people/user/abc/{name}/").status_code in {
        403,
        404,
    }


@pytest.mark.parametrize("page", ["abc", "0", "-1", "9" * 30, "²", ""])
@pytest.mark.parametrize("name", CHOICES)
def test_a_page_of_choices_that_is_none_is_the_first_or_empty(client_of, administrator, name, page):
    CourseFactory.create()
    response = client_of(administrator).get(f"/admin/{name}/", {"page": page})
    assert response.status_code == 200
    assert response.json()["pagination"] == {"more": False}


@pytest.mark.parametrize(
    "query",
    ["created_at__year=99999", "id__in=1", "pk__gte=1", "title__contains=a", "course__in=1"],
)
def test_a_list_takes_only_what_its_filters_ask_for(client_of, administrator, query):
    assert client_of(administrator).get(f"/admin/payments/payment/?{query}").status_code == 400


@pytest.mark.parametrize("name", ["lms/course/?updated_at", "payments/payment/?paid_at"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "yesterday", ""])
def test_days_that_nobody_can_mean_are_no_error_of_the_server(client_of, administrator, name, day):
    payment = PaymentFactory.create(paid=True)
    for end in ("from", "to"):
        response = client_of(administrator).get(f"/admin/{name}_{end}={day}")
        assert response.status_code == 200
        found = {row.pk for row in response.context["cl"].result_list}
        # Nothing is found by a day that is none, and the field says so.
        assert found in (({payment.pk}, {payment.course_id}) if day == "" else (set(),))


@pytest.mark.parametrize(
    "address",
    [
        "lms/access/add/?user=X&course=X&lesson=X",
        "lms/course/add/?owner=X",
        "lms/lesson/add/?course=X",
    ],
)
@pytest.mark.parametrize("key", ["abc", "1.5", str(10**30), "0"])
def test_a_new_row_for_what_is_not_there_begins_empty(client_of, administrator, address, key):
    assert client_of(administrator).get(f"/admin/{address.replace('X', key)}").status_code == 200


def test_a_new_lesson_begins_with_the_course_of_the_address(client_of, administrator):
    course = CourseFactory.create()
    response = client_of(administrator).get("/admin/lms/lesson/add/", {"course": course.pk})
    assert response.context["adminform"].form.initial["course"] == str(course.pk)


def test_an_export_by_a_filter_that_is_none_leads_to_the_list(client_of, administrator):
    for ask in (client_of(administrator).get, client_of(administrator).post):
        response = ask("/admin/payments/payment/export/?course__id__exact=abc")
        assert response.status_code == 302
        assert response["Location"] == "/admin/payments/payment/?e=1"

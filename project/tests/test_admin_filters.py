"""The filters of lists, in every language: what can't be read is said, never left out."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin import site
from django.urls import reverse
from django.utils.formats import date_format

from lms.tests.factories import CourseFactory
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from project.common.admin.filters import RangeFilter

pytestmark = pytest.mark.django_db

LIST = reverse("admin:payments_payment_changelist")
UNREADABLE = ["31.11.2026", "nonsense", "0001-01-01", "9999-12-31", "20.11"]


@pytest.fixture
def payment(db):
    return PaymentFactory.create(
        created_at=datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("UTC")), paid=True
    )


def listed(client, query, language="en"):
    client.post(reverse("set_language"), {"language": language})
    response = client.get(LIST + query)
    assert response.status_code == 200
    return response, set(response.context["cl"].queryset)


@pytest.mark.parametrize(
    ("language", "day"),
    [
        ("ru", "20.11.2026"),
        ("ru", "20.11.26"),
        ("ru", "2026-11-20"),
        ("en", "2026-11-20"),
        ("en", "11/20/2026"),
        ("en", "20.11.2026"),
    ],
)
def test_a_day_is_read_as_people_write_it(client_of, administrator, payment, language, day):
    PaymentFactory.create()
    query = f"?created_at_from={day}&created_at_to={day}"
    response, found = listed(client_of(administrator), query, language)
    assert found == {payment}
    shown = {"ru": "20.11.2026", "en": "2026-11-20"}[language]
    assert f'name="created_at_from" value="{shown}"' in response.text


@pytest.mark.parametrize("day", UNREADABLE)
def test_a_day_that_cant_be_read_is_an_error_and_finds_nothing(
    client_of, administrator, payment, day
):
    client = client_of(administrator)
    for language, words in (("en", "Enter a valid date."), ("ru", "Введите правильную дату.")):
        query = f"?created_at_from={day}&created_at_to=2026-12-31"
        response, found = listed(client, query, language)
        assert found == set()
        # At the field, which a phone folds away, and over the list.
        assert response.text.count(words) == 2
        assert (f"«{day}»" if language == "ru" else f"“{day}”") in response.text
        assert f'name="created_at_from" value="{day}"' in response.text


@pytest.mark.any_database
def test_the_same_on_other_lists(client_of, administrator):
    UserFactory.create(date_joined=datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("UTC")))
    client = client_of(administrator)
    client.post(reverse("set_language"), {"language": "ru"})
    page = reverse("admin:people_user_changelist")
    for day, number in (("20.11.2026", 1), ("21.11.2026", 0), ("vorgestern", 0)):
        query = f"?date_joined_from={day}&date_joined_to={day}"
        response = client.get(page + query)
        assert len(response.context["cl"].queryset) == number, day


SPANS = {
    "Today": ("2026-01-31", "2026-01-31"),
    "This week": ("2026-01-25", "2026-01-31"),
    "This month": ("2026-01-01", "2026-01-31"),
    "Last month": ("2025-12-01", "2025-12-31"),
    "This year": ("2026-01-01", "2026-12-31"),
}


@pytest.mark.any_database
def test_usual_spans_are_one_click_away(client_of, administrator, time_machine):
    time_machine.move_to(datetime(2026, 1, 31, 12, tzinfo=ZoneInfo("UTC")), tick=False)
    client, payer = client_of(administrator), UserFactory.create()
    for title, (first, last) in SPANS.items():
        address = f"?payer__id__exact={payer.pk}&paid_at_from={first}&paid_at_to={last}"
        response, _found = listed(client, address)
        text = response.text.replace("&amp;", "&")
        for name, (begin, end) in SPANS.items():
            current = ' aria-current="true"' if name == title else ""
            link = f"?paid_at_from={begin}&paid_at_to={end}&payer__id__exact={payer.pk}"
            assert f'href="{link}"{current}>{name}</a>' in text
        assert [chip.chosen for chip in response.context["cl"].chips()] == [str(payer), title]


@pytest.mark.any_database
def test_a_week_begins_as_where_the_language_is_spoken(client_of, administrator, time_machine):
    time_machine.move_to(datetime(2026, 2, 1, 12, tzinfo=ZoneInfo("UTC")), tick=False)
    response, _found = listed(client_of(administrator), "", "ru")
    assert "paid_at_from=2026-01-26&amp;paid_at_to=2026-02-01" in response.text


@pytest.mark.any_database
def test_each_filter_in_use_is_named_over_the_list_and_can_be_taken_away(
    client_of, administrator, payment
):
    payer = payment.payer
    filters = {
        "status__exact=paid": ("Status", "paid"),
        "attention=confirm": ("Attention", "awaiting confirmation"),
        f"payer__id__exact={payer.pk}": ("Payer", str(payer)),
        "created_at_from=2026-11-19": ("Created", f"from {shown(19)}"),
        "paid_at_to=2026-11-21": ("Paid at", f"to {shown(21)}"),
    }
    response, _found = listed(client_of(administrator), "?p=2&q=x&" + "&".join(filters))
    chips = list(response.context["cl"].chips())
    assert {chip.title: chip.chosen for chip in chips} == dict(filters.values())
    for query, (title, _chosen) in filters.items():
        [link] = [chip.link for chip in chips if chip.title == title]
        rest = {*filters, "q=x"} - {query}
        assert set(link.removeprefix("?").split("&")) == rest
        assert f'href="{link.replace("&", "&amp;")}"' in response.text


def shown(day):
    return date_format(date(2026, 11, day), "SHORT_DATE_FORMAT")


def ranges():
    """Each filter of each list that reads what is typed."""
    for model, admin in site._registry.items():
        for spec in getattr(admin, "list_filter", ()):
            if isinstance(spec, tuple) and issubclass(spec[1], RangeFilter):
                yield pytest.param(model, spec[0], id=f"{model._meta.label}.{spec[0]}")


@pytest.mark.any_database
@pytest.mark.parametrize(("model", "field"), list(ranges()))
def test_no_list_leaves_out_a_bound_that_it_cant_read(client_of, administrator, model, field):
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    response = client_of(administrator).get(page, {f"{field}_to": "vorgestern"})
    changelist = response.context["cl"]
    [fault] = changelist.faults
    assert "“vorgestern”" in fault
    assert changelist.queryset.query.is_empty()
    assert [chip.chosen for chip in changelist.chips()] == ["vorgestern"]


@pytest.mark.any_database
@pytest.mark.parametrize(
    "query", ["status__exact=gone", "attention=gone", "method__exact=gone", "payer__id__exact=0"]
)
def test_a_choice_that_is_none_finds_nothing_and_says_so(client_of, administrator, payment, query):
    response, found = listed(client_of(administrator), f"?{query}")
    assert found == set()
    assert len(response.context["cl"].faults) == 1


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("language", "amount"),
    [("ru", "4 900,50"), ("ru", "4900.50"), ("en", "4900.5")],
)
def test_a_price_is_read_as_people_write_it(client_of, administrator, language, amount):
    cheap, dear = CourseFactory.create(price="4900.50"), CourseFactory.create(price="4900.51")
    page = reverse("admin:lms_course_changelist")
    client = client_of(administrator)
    client.post(reverse("set_language"), {"language": language})
    for name, course in (("price_to", cheap), ("price_from", dear)):
        least = {"price_from": "1"} if name == "price_to" else {}
        given = {**least, name: amount if name == "price_to" else "4900.51"}
        response = client.get(page, given)
        assert not response.context["cl"].faults
        assert list(response.context["cl"].queryset) == [course]

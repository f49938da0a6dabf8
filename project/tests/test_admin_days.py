"""The filters of lists by days, in every language: what can't be read is said, never left out."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory

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


@pytest.mark.any_database
def test_this_month_the_last_one_and_this_year_are_one_click_away(
    client_of, administrator, time_machine
):
    time_machine.move_to(datetime(2026, 1, 31, 12, tzinfo=ZoneInfo("UTC")), tick=False)
    client = client_of(administrator)
    response, _found = listed(
        client, "?method__exact=cash&paid_at_from=2025-12-01&paid_at_to=2025-12-31"
    )
    text = response.text.replace("&amp;", "&")
    for span in ("from=2026-01-01&paid_at_to=2026-01-31", "from=2026-01-01&paid_at_to=2026-12-31"):
        assert f'href="?method__exact=cash&paid_at_{span}"' in text
    chosen = 'paid_at_from=2025-12-01&paid_at_to=2025-12-31" aria-current="true">Last month</a>'
    assert chosen in text

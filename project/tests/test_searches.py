"""All searches fold letters alike: ё is е, and no matter how a letter is composed."""

import unicodedata
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import reverse

from lms.models import Access, AccessSource
from lms.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.models import User
from people.services import accounts
from people.tests.factories import UserFactory
from project.common.db.search_index import fill_searched
from project.mail.models import Mailing

pytestmark = pytest.mark.django_db

SEARCHES = ["семен", "СЕМЁН", unicodedata.normalize("NFD", "Семён"), "сем орел", "ёл"]


@pytest.fixture
def semyon() -> User:
    return UserFactory.create(
        first_name="Семён", last_name="Щёголев", city="Орёл", phone="+79161234567"
    )


def listed(client: Any, name: str, text: str) -> set[Any]:
    page = client.get(reverse(f"admin:{name}_changelist"), {"q": text})
    return set(page.context["cl"].result_list)


@pytest.mark.parametrize("text", SEARCHES)
def test_people_are_found_in_the_api(api, learner, semyon, text):
    UserFactory.create(first_name="Иван", city="Тула")
    items = api(learner).get("users", data={"search": text}).json()["items"]
    assert [item["id"] for item in items] == [semyon.pk]


@pytest.mark.parametrize("text", ["щеголев", "1234567", "school.example"])
def test_what_is_not_public_finds_nobody_in_the_api(api, learner, semyon, text):
    assert api(learner).get("users", data={"search": text}).json()["items"] == []


@pytest.mark.parametrize("text", [*SEARCHES, "щеголев семен", "1234567 щёг"])
def test_staff_find_people(client_of, administrator, semyon, text):
    UserFactory.create(first_name="Иван", city="Тула")
    assert listed(client_of(administrator), "people_user", text) == {semyon}


@pytest.mark.parametrize("text", ["щеголев семен", "СЕМЁН"])
def test_what_belongs_to_people_is_found_by_them(client_of, administrator, semyon, text):
    access = Access.objects.create(
        user=semyon, course=CourseFactory.create(), source=AccessSource.GRANT
    )
    payment = PaymentFactory.create(payer=semyon)
    PaymentFactory.create()
    client = client_of(administrator)
    assert listed(client, "lms_access", text) == {access}
    assert listed(client, "payments_payment", text) == {payment}
    for name in ("lms_access_people", "payments_payment_payers"):
        found = client.get(reverse(f"admin:{name}"), {"term": text}).json()["results"]
        assert [one["id"] for one in found] == [str(semyon.pk)]


def test_a_phone_finds_nothing_for_those_who_do_not_see_it(client_of, support, semyon):
    """Digit by digit, a search would tell all of it."""
    PaymentFactory.create(payer=semyon)
    assert listed(client_of(support), "payments_payment", "1234567") == set()
    term = client_of(support).get(reverse("admin:payments_payment_payers"), {"term": "1234567"})
    assert term.json()["results"] == []


@pytest.mark.parametrize("text", ["учет", "УЧЁТ", unicodedata.normalize("NFD", "всех учёт")])
def test_payments_mailings_and_groups_are_found(client_of, administrator, text):
    payment = PaymentFactory.create(title="Учёт для всех")
    mailing = Mailing.objects.create(kind="course_update", key="1", title="Учёт для всех")
    group = Group.objects.create(name="Учёт для всех")
    PaymentFactory.create(title="Хлеб")
    client = client_of(administrator)
    assert listed(client, "payments_payment", text) == {payment}
    assert listed(client, "mail_mailing", text) == {mailing}
    assert listed(client, "people_role", text) == {group}


def test_a_person_is_found_by_what_they_are_called_now(api, learner, semyon):
    accounts.update_profile(user=semyon, changes={"first_name": "Пётр"})
    found = [api(learner).get("users", data={"search": text}) for text in ("петр орел", "семен")]
    assert [answer.json()["count"] for answer in found] == [1, 0]
    accounts.erase_account(user=semyon)
    semyon.refresh_from_db()
    assert "щеголев" not in semyon.searched_by_staff
    assert semyon.searched == ""


def test_what_was_saved_before_there_were_searched_texts_is_found(client_of, administrator):
    payments = [PaymentFactory.create(title=f"Учёт {number}") for number in range(3)]
    Payment.objects.exclude(pk=payments[0].pk).update(searched="")
    fill = fill_searched("payments", "payment", {"searched": ["title"]})
    registry: Any = apps
    for _time in range(2):
        fill(registry, connection.schema_editor())
    assert listed(client_of(administrator), "payments_payment", "учет") == {*payments}

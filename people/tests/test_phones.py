"""Phone numbers, as people write them and as they are kept."""

import json

import pytest
from django.core.management import call_command

from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_admin import page, person_form

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

KEPT = "+79161234567"
SPELLINGS = [
    "8 (916) 123-45-67",
    "89161234567",
    KEPT,
    "+7 (916) 123-45-67",
    "7 916 123 45 67",
    "916 123-45-67",
    "8\u00a0916\u202f123\u201145\u201167",
    "\u202a+7 916 123-45-67\u202c",
    "\u200e+7\u00a0916\u00a0123-45-67",
    "８９１６１２３４５６７",
    "8~916~123.45.67",
]
NOBODYS = [
    "123-45-67",
    "1234567",
    "8916123456",
    "+7 (000) 000-00-00",
    "+7 999",
    "+0",
    "112",
    "+79161234567890123",
    "8 916 123-45-67 доб. 12",
    "8 916 123-45-67 ext. 12",
    "8 916 123-45-67#12",
    "8 916 123-45-67, 8 916 765-43-21",
    "8 916 123-45-67 / 8 916 765-43-21",
    "8 916 CALL-NOW",
    "x",
    "+",
    "\u202e7654321619\u202c",
]


def register(api, phone):
    body = {"email": "anna@school.example", "password": PASSWORD, "phone": phone}
    return api(None).post("auth/register", body)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_usual_spellings_are_understood_by_api_admin_and_fixtures(
    api, client_of, support, learner, tmp_path, spelling
):
    assert register(api, spelling).json()["phone"] == KEPT
    assert api(learner).patch(f"users/{learner.pk}", {"phone": spelling}).json()["phone"] == KEPT
    client = client_of(support)
    found = client.get(page("changelist"), {"q": spelling}).context["cl"].queryset
    assert {person.email for person in found} == {"anna@school.example", learner.email}
    learner.phone = ""
    learner.save()
    form = person_form(learner, phone=spelling)
    assert client.post(page("change", learner.pk), form).status_code == 302
    file = tmp_path / "people.json"
    fields = {"email": "vera@school.example", "password": "", "phone": spelling}
    file.write_text(json.dumps([{"model": "people.user", "pk": 777, "fields": fields}]))
    call_command("loaddata", file, verbosity=0)
    assert set(User.objects.exclude(pk=support.pk).values_list("phone", flat=True)) == {KEPT}


@pytest.mark.parametrize("phone", NOBODYS)
def test_a_number_that_nobody_can_have_is_refused_with_an_example(
    api, client_of, support, learner, phone
):
    words = "Enter the whole phone number, such as 8 (912) 345-67-89 or +7 912 345-67-89."
    for answer in (
        register(api, phone),
        api(learner).patch(f"users/{learner.pk}", {"phone": phone}),
    ):
        assert answer.status_code == 422
        fault = {"loc": ["body", "phone"], "code": "invalid_phone", "msg": words}
        assert answer.json()["errors"] == [fault]
    form = person_form(learner, phone=phone)
    refused = client_of(support).post(page("change", learner.pk), form)
    assert refused.context["adminform"].form.errors == {"phone": [words]}


@pytest.mark.parametrize(
    ("country", "typed", "kept", "example"),
    [
        ("DE", "0171 1234567", "+491711234567", "01512 3456789"),
        ("DE", "0049 171 1234567", "+491711234567", "01512 3456789"),
        ("US", "(202) 555-0123", "+12025550123", "(201) 555-0123"),
        ("KZ", "8 (701) 123-45-67", "+77011234567", "8 (771) 000 9998"),
        ("IT", "06 6982 1234", "+390669821234", "312 345 6789"),
        ("DE", KEPT, KEPT, "01512 3456789"),
    ],
)
def test_the_country_of_the_school_decides(api, settings, country, typed, kept, example):
    settings.COUNTRY = country
    assert example in register(api, "1234").json()["errors"][0]["msg"]
    assert register(api, typed).json()["phone"] == kept


def test_an_old_number_hinders_staff_from_no_other_change(client_of, support, learner):
    User.objects.filter(pk=learner.pk).update(phone="1234567")
    client = client_of(support)
    learner.refresh_from_db()
    form = person_form(learner, city="Казань")
    assert client.post(page("change", learner.pk), form).status_code == 302
    learner.refresh_from_db()
    assert (learner.phone, learner.city) == ("1234567", "Казань")
    found = client.get(page("changelist"), {"q": "1234567"}).context["cl"].queryset
    assert [*found] == [learner]


def test_a_page_of_the_admin_has_room_for_a_spelling(client_of, support, learner):
    text = client_of(support).get(page("change", learner.pk)).text
    assert 'maxlength="40"' in text.partition('name="phone"')[2].partition(">")[0]


def test_a_number_may_be_taken_away(api):
    person = UserFactory.create(phone=KEPT)
    assert api(person).patch(f"users/{person.pk}", {"phone": " "}).json()["phone"] is None

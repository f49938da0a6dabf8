"""Opening an account."""

import pytest
from django.db import IntegrityError

from people.models import User
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

ANNA = {"email": "Anna@School.example", "password": PASSWORD}


def test_person_registers_and_gets_their_own_profile(api):
    body = ANNA | {"first_name": " Anna ", "city": "Казань", "phone": "+79161234567"}
    response = api(None).post("auth/register", body)
    assert response.status_code == 201
    person = User.objects.get()
    profile = response.json()
    assert profile["id"] == person.pk
    assert profile["email"] == "Anna@school.example"
    assert profile["first_name"] == "Anna"
    assert profile["city"] == "Казань"
    assert profile["phone"] == "+79161234567"
    assert profile["last_name"] is None
    assert profile["avatar"] is None
    assert profile["last_login"] is None
    assert profile["is_moderator"] is False
    assert "password" not in profile
    assert person.check_password(PASSWORD)
    assert not person.is_staff


@pytest.mark.parametrize(
    ("header", "given", "language"),
    [
        ("ru-RU,ru;q=0.9", None, "ru"),
        ("de", None, "en"),
        ("", None, "en"),
        ("ru", "en", "en"),
    ],
)
def test_language_is_the_given_one_or_that_of_the_browser(api, header, given, language):
    response = api(None).post(
        "auth/register", ANNA | {"language": given}, headers={"Accept-Language": header}
    )
    assert response.json()["language"] == language


def test_taken_email_is_refused_whatever_its_letter_case(api):
    UserFactory.create(email="anna@school.example")
    response = api(None).post("auth/register", ANNA | {"email": " ANNA@SCHOOL.example"})
    assert response.status_code == 409
    assert response.json()["code"] == "email_taken"
    assert User.objects.count() == 1


def test_email_that_is_taken_at_this_moment_is_taken(api, meanwhile):
    with meanwhile(lambda: UserFactory.create(email="ANNA@school.example", first_name="Other")):
        response = api(None).post("auth/register", ANNA)
    assert (response.status_code, response.json()["code"]) == (409, "email_taken")
    assert User.objects.get().first_name == "Other"


def test_another_fault_of_the_database_is_not_the_persons(api, failing_at):
    with failing_at('INSERT INTO "people_user"', IntegrityError):
        response = api(None).post("auth/register", ANNA)
    assert response.status_code == 500
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short1", "password_too_short"),
        ("password123", "password_too_common"),
        ("8274619350", "password_entirely_numeric"),
        ("anna@school", "password_too_similar"),
        ("Petrovskaya", "password_too_similar"),
    ],
)
def test_weak_password_is_refused_as_the_password(api, password, code):
    body = ANNA | {"password": password, "last_name": "Petrovskaya"}
    response = api(None).post("auth/register", body)
    assert response.status_code == 422
    (error, *_others) = response.json()["errors"]
    assert error["loc"] == ["body", "password"]
    assert error["code"] == code
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "field", ["is_staff", "is_superuser", "groups", "is_active", "id", "username", "avatar"]
)
def test_field_that_would_give_rights_is_unknown(api, field):
    response = api(None).post("auth/register", ANNA | {field: 1})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", field]
    assert response.json()["errors"][0]["code"] == "extra_forbidden"


@pytest.mark.parametrize(
    "email",
    [
        "",
        "anna",
        "anna@",
        "@school.example",
        "an na@school.example",
        '"an\\u0001na"@school.example',
        "anna@school.example\n.evil.example",
        "\u212aate@school.example",  # the Kelvin sign, which is k in lower case
        "erased-1@erased.invalid",
        "a" * 250 + "@school.example",
        None,
        7,
        ["anna@school.example"],
        {"a": 1},
    ],
)
def test_what_is_no_email_is_refused_as_the_email(api, email):
    response = api(None).post("auth/register", ANNA | {"email": email})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "email"]


def test_texts_may_be_null_and_lose_needless_spaces(api):
    body = ANNA | {
        "first_name": " Anna\t  Maria\r\n",
        "last_name": None,
        "phone": None,
        "city": None,
    }
    profile = api(None).post("auth/register", body).json()
    assert profile["first_name"] == "Anna Maria"
    assert (profile["last_name"], profile["phone"], profile["city"]) == (None, None, None)


def test_first_call_after_registration_is_log_in(api):
    api(None).post("auth/register", ANNA)
    response = api(None).post("auth/token", ANNA | {"email": "anna@school.example"})
    assert response.status_code == 200

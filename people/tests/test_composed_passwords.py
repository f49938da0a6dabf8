"""A password opens its account whichever keyboard it was typed on."""

import unicodedata
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from people.hashers import Argon2idPasswordHasher, composed
from people.models import User
from people.one_time_links import invitation_link
from people.services.invitations import invite
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

COMPOSED = unicodedata.normalize("NFC", "пароль ёлки-йод café")
TYPED = unicodedata.normalize("NFD", COMPOSED)
NEW = unicodedata.normalize("NFD", "другой ёжик-йод")
EMAIL = "anna@school.example"


def log_in(api, password, email=EMAIL):
    return api(None).post("auth/token", {"email": email, "password": password}).status_code


def enter_admin(client_of, password, email=EMAIL):
    form = {"username": email, "password": password}
    return client_of(None).post("/admin/login/", form).status_code


def register(api, _client_of, _administrator, password):
    api(None).post("auth/register", {"email": EMAIL, "password": password})


def accept_invitation(_api, _client_of, administrator, password):
    person = invite(email=EMAIL, profile={}, by=administrator)
    visitor = Client()
    visitor.get(urlsplit(invitation_link(person.invitation)).path)
    visitor.post(reverse("admin_invitation"), {"new_password": password, "again": COMPOSED})


def set_in_admin(_api, client_of, administrator, password):
    person = UserFactory.create(email=EMAIL)
    address = reverse("admin:auth_user_password_change", args=[person.pk])
    client_of(administrator).post(address, {"password1": COMPOSED, "password2": password})


def run_csu(_api, _client_of, _administrator, password):
    call_command("csu", email=EMAIL, password=password, verbosity=0)


def change(api, _client_of, _administrator, password):
    person = UserFactory.create(email=EMAIL, password="first horse")
    body = {"old_password": "first horse", "new_password": password}
    api(person).post("auth/password/change", body)


@pytest.mark.parametrize("door", [register, accept_invitation, set_in_admin, run_csu, change])
@pytest.mark.parametrize("password", [TYPED, COMPOSED])
def test_a_password_is_kept_composed(api, client_of, administrator, door, password):
    door(api, client_of, administrator, password)
    assert check_password(COMPOSED, User.objects.get(email=EMAIL).password)
    assert [log_in(api, one) for one in (TYPED, COMPOSED, TYPED[:-1])] == [200, 200, 401]


@pytest.mark.parametrize("is_staff", [True, False])
def test_a_password_that_was_kept_as_typed_opens_its_account_and_is_kept_anew(
    api, client_of, is_staff
):
    UserFactory.create(email=EMAIL, password=TYPED, is_staff=is_staff)
    assert log_in(api, COMPOSED) == 401
    entered = enter_admin(client_of, TYPED) == 302 if is_staff else log_in(api, TYPED) == 200
    assert entered
    person = User.objects.get()
    assert check_password(COMPOSED, person.password)
    assert person.token_version == 0
    assert log_in(api, COMPOSED) == 200


def test_a_person_changes_a_password_that_was_kept_as_typed(api):
    person = UserFactory.create(email=EMAIL, password=TYPED)
    body = {"old_password": TYPED, "new_password": NEW}
    assert api(person).post("auth/password/change", body).status_code == 200
    assert log_in(api, unicodedata.normalize("NFC", NEW)) == 200


@pytest.mark.parametrize("door", [log_in, enter_admin])
@pytest.mark.parametrize(("password", "hashes"), [("wrong horse", 1), (TYPED, 2), (COMPOSED, 1)])
def test_a_log_in_takes_as_long_whether_there_is_an_account_or_not(
    api, client_of, monkeypatch, settings, door, password, hashes
):
    settings.PASSWORD_HASHERS = ["people.hashers.Argon2idPasswordHasher"]
    UserFactory.create(email=EMAIL)
    erased = UserFactory.create(email="erased@school.example")
    User.objects.filter(pk=erased.pk).update(password="!")
    made: list[str] = []

    def noted(name):
        function = getattr(Argon2idPasswordHasher, name)

        def note(*args):
            made.append(name)
            return function(*args)

        monkeypatch.setattr(Argon2idPasswordHasher, name, note)

    noted("encode")
    noted("verify")
    counts = []
    for email in (EMAIL, "erased@school.example", "nobody@school.example"):
        made.clear()
        door(api if door is log_in else client_of, password, email)
        counts.append(len(made))
    assert counts == [hashes] * 3


def test_a_password_of_a_million_marks_keeps_nobody_waiting(client_of):
    UserFactory.create(email=EMAIL)
    assert enter_admin(client_of, "a" + "\u0301\u0323" * 250_000) == 200


def test_a_password_counts_letters_not_marks(api, client_of, administrator):
    short = unicodedata.normalize("NFD", "éèêëç")
    body = {"email": EMAIL, "password": short}
    assert api(None).post("auth/register", body).status_code == 422
    accept_invitation(api, client_of, administrator, short)
    assert not User.objects.get(email=EMAIL).has_usable_password()


def test_what_is_longer_than_any_password_is_left_as_typed():
    longest = "e\u0301" * 512
    assert composed(longest) == "é" * 512
    assert composed(longest + "e") == longest + "e"


def test_an_account_may_have_no_password(api):
    person = User.objects.create_user(EMAIL)
    assert not person.has_usable_password()
    assert not person.check_password(None)

"""`manage.py csu`."""

import pytest
from django.core.management import CommandError, call_command

from people.models import User
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

EMAIL = "ada@school.example"
NEW = "another horse battery"


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch):
    """Nothing in the environment, and nobody at the keyboard."""

    def nobody(*_args):
        raise EOFError

    for name in ("EMAIL", "PASSWORD"):
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)
    monkeypatch.setattr("builtins.input", nobody)
    monkeypatch.setattr("people.management.commands.csu.getpass", nobody)


def csu(capsys, **options):
    call_command("csu", **options)
    return capsys.readouterr().out


def test_superuser_is_created_from_options(capsys):
    assert "Created" in csu(capsys, email=f" {EMAIL.upper()}", password=PASSWORD)
    user = User.objects.get()
    assert user.email == "ADA@school.example"
    assert user.is_superuser
    assert user.is_staff
    assert user.is_active
    assert user.check_password(PASSWORD)


def test_superuser_is_created_from_the_environment(capsys, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", EMAIL)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    csu(capsys)
    assert User.objects.get(is_superuser=True).email == EMAIL


def test_superuser_is_created_from_answers(capsys, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _prompt: EMAIL)
    monkeypatch.setattr("people.management.commands.csu.getpass", lambda _prompt: PASSWORD)
    csu(capsys)
    assert User.objects.get(is_superuser=True).check_password(PASSWORD)


def test_second_run_changes_nothing(capsys):
    csu(capsys, email=EMAIL, password=PASSWORD)
    before = User.objects.values().get()
    assert "nothing was changed" in csu(capsys, email=EMAIL.upper(), password=NEW)
    assert "nothing was changed" in csu(capsys, email=EMAIL)
    assert User.objects.values().get() == before


def test_password_is_reset_on_demand_and_ends_tokens(capsys, administrator):
    others = User.objects.values().get()
    csu(capsys, email=EMAIL, password=PASSWORD)
    before = User.objects.get(email=EMAIL)
    assert "new password" in csu(capsys, email=EMAIL, password=NEW, reset_password=True)
    user = User.objects.get(email=EMAIL)
    assert user.check_password(NEW)
    assert user.token_version > before.token_version
    assert User.objects.values().get(pk=administrator.pk) == others


def test_blocked_superuser_stays_blocked_and_the_message_says_so(capsys):
    UserFactory.create(email=EMAIL, is_superuser=True, blocked=True)
    assert "blocked" in csu(capsys, email=EMAIL, password=NEW, reset_password=True)
    assert not User.objects.get().is_active


@pytest.mark.parametrize("reset", [False, True])
def test_ordinary_account_is_not_promoted(capsys, learner, reset):
    with pytest.raises(CommandError, match="ordinary account"):
        csu(capsys, email=learner.email, password=NEW, reset_password=reset)
    learner.refresh_from_db()
    assert not learner.is_superuser
    assert learner.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("no e-mail", PASSWORD, "email"),
        ("ada@erased.invalid", PASSWORD, "email"),
        (EMAIL, "short", "password"),
        (EMAIL, "12345678901", "password"),
        (EMAIL, "ada@school.example", "password"),
        (EMAIL, None, "Nothing was entered"),
        (None, PASSWORD, "Nothing was entered"),
    ],
)
def test_bad_or_missing_input_is_refused(capsys, email, password, message):
    with pytest.raises(CommandError, match=message):
        csu(capsys, email=email, password=password)
    assert not User.objects.exists()


def test_two_different_passwords_are_refused(capsys, monkeypatch):
    answers = iter([PASSWORD, NEW])
    monkeypatch.setattr("people.management.commands.csu.getpass", lambda _prompt: next(answers))
    with pytest.raises(CommandError, match="match"):
        csu(capsys, email=EMAIL)


@pytest.mark.parametrize("weak", ["short", "Lovelace1"])
def test_weak_password_is_refused_on_reset_too(capsys, administrator, weak):
    User.objects.filter(pk=administrator.pk).update(last_name="Lovelace")
    with pytest.raises(CommandError, match="password"):
        csu(capsys, email=administrator.email, password=weak, reset_password=True)
    administrator.refresh_from_db()
    assert administrator.check_password(PASSWORD)


def test_the_manager_makes_people_and_administrators_who_can_log_in(db):
    made = {"email": "vera@school.example", "password": "learn with everybody"}
    person = User.objects.create_user(**made)
    administrator = User.objects.create_superuser(**made | {"email": "ada@school.example"})
    assert person.check_password(made["password"])
    assert (person.is_staff, person.is_superuser) == (False, False)
    assert administrator.check_password(made["password"])
    assert (administrator.is_staff, administrator.is_superuser) == (True, True)


def test_superuser_is_created_where_nobody_may_register(capsys, settings):
    settings.REGISTRATION = False
    assert "Created" in csu(capsys, email=EMAIL, password=PASSWORD)

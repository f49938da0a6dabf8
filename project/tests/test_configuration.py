"""Settings, `.env.sample`, and the checks that report what is wrong with them."""

import ast
import json
import re
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from people.services import accounts
from people.tests.factories import UserFactory
from project import checks, environment
from project.tests import processes

BUCKET = {
    "BACKEND": "storages.backends.s3.S3Storage",
    "OPTIONS": {"bucket_name": "media"},
}
SAMPLE = (settings.BASE_DIR / ".env.sample").read_text()
READERS = {
    "switch",
    "number",
    "choice",
    "cache",
    "address",
    "duration",
    "names",
    "rate",
    "mailer",
    "database",
}
# Read by `manage.py csu`, as Django's own `createsuperuser` does, not by the settings.
NOT_SETTINGS = {"DJANGO_SUPERUSER_EMAIL", "DJANGO_SUPERUSER_PASSWORD"}


def names_read(path: Path) -> set[str]:
    """The variables that a module reads, from its source."""
    names = set()
    for call in ast.walk(ast.parse(path.read_text())):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        reader, name = ast.unparse(call.func), call.args[0]
        reads = reader in READERS or re.fullmatch(r"env\.\w+", reader) is not None
        if reads and isinstance(name, ast.Constant):
            names.add(str(name.value))
    return names


def test_sample_names_every_variable_and_no_other() -> None:
    project = settings.BASE_DIR / "project"
    read = names_read(project / "settings.py") | names_read(project / "environment.py")
    named = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", SAMPLE, re.MULTILINE)
    assert "DATABASE_URL" in read
    assert len(named) == len(set(named))
    assert set(named) == read | NOT_SETTINGS


def test_sample_has_the_defaults_except_where_a_value_is_an_example(tmp_path: Path) -> None:
    given = dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.+)$", SAMPLE, re.MULTILINE))
    defaults = {
        name: value
        for name, value in given.items()
        if "example" not in value and "://" not in value and name not in NOT_SETTINGS
    }
    assert len(defaults) > 20
    code = """
import json, django, project.settings as read
django.setup()
waiting_for_a_language = {"UNFOLD", "LANGUAGES"}
print(json.dumps({
    name: repr(value)
    for name, value in vars(read).items()
    if name.isupper() and name not in waiting_for_a_language and not callable(value)
}))
"""
    command = [sys.executable, "-c", code]
    environment = processes.environment(tmp_path) | {
        "SECRET_KEY": "s" * 60,
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }
    for name in given:
        environment.pop(name, None)
    without, with_them = (
        json.loads(processes.run(command, environment | more).stdout) for more in ({}, defaults)
    )
    assert with_them == without


def production(folder: Path) -> dict[str, str]:
    """The production environment of `.env.sample`, with a key and its files in `folder`."""
    example = dict(re.findall(r"^# production> (\w+)=(.*)$", SAMPLE, re.MULTILINE))
    return processes.environment(folder) | example | {"SECRET_KEY": secrets.token_urlsafe(50)}


def test_documented_production_environment_passes_the_deployment_check(tmp_path: Path) -> None:
    command = processes.manage("check", "--deploy", "--fail-level", "WARNING")
    result = processes.run(command, production(tmp_path))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", ["project.wsgi", "project.asgi"])
def test_server_refuses_to_start_without_a_key(tmp_path: Path, module: str) -> None:
    command = [sys.executable, "-c", f"import {module}"]
    result = processes.run(command, processes.environment(tmp_path))
    assert result.returncode == 1
    assert "ImproperlyConfigured: SECRET_KEY is not set" in result.stderr


def found(*, deploy: bool = False) -> list[str]:
    """What our checks say of the settings."""
    messages = run_checks(tags=[checks.PARTA], include_deployment_checks=deploy)
    return [str(message.id) for message in messages]


@pytest.mark.django_db
def test_accounts_of_the_demo_are_reported_before_a_deployment(settings: Any) -> None:
    person = UserFactory.create(email="mira@parta.example")
    assert "parta.W007" in found(deploy=True)
    accounts.erase_account(user=person)
    assert "parta.W007" not in found(deploy=True)


def test_settings_of_the_tests_have_no_fault() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SECRET_KEY_IS_SET", False, "parta.E001"),
        ("SECRET_KEY", "k" * 31, "parta.E002"),
        ("CURRENCY", "rub", "parta.E003"),
        ("CURRENCY", "XTS", "parta.E003"),
        ("COUNTRY", "ru", "parta.E008"),
        ("COUNTRY", "", "parta.E008"),
        ("COUNTRY", "AQ", "parta.E008"),
        ("SECRET_KEY_FALLBACKS", ["k" * 31], "parta.E002"),
        ("STRIPE_WEBHOOK_SECRETS", ["whsec_x\n"], "parta.E004"),
        ("STRIPE_API_BASE", " https://api.stripe.com", "parta.E004"),
        ("STRIPE_API_KEY", "sk_test_x", "parta.W001"),
        ("PRIVATE_ROOT", Path(settings.MEDIA_ROOT, "private"), "parta.E007"),
        ("STORAGES", {"default": BUCKET, "private": BUCKET}, "parta.E007"),
        ("INACTIVITY_SWEEP_CRON", "nightly", "parta.E006"),
        ("INACTIVITY_SWEEP_CRON", "99 4 * * *", "parta.E006"),
        ("INACTIVITY_SWEEP_CRON", "0 30 4 * * *", "parta.E006"),
        ("INACTIVITY_SWEEP_CRON", "0 4 31 2 *", "parta.E006"),
    ],
)
def test_fault_is_reported_once(settings: Any, name: str, value: Any, expected: str) -> None:
    setattr(settings, name, value)
    assert found() == [expected]


@pytest.mark.parametrize(
    ("zone", "cron", "expected"),
    [
        ("Europe/Berlin", "30 2 * * *", ["parta.W002"]),
        ("Europe/Berlin", "0 */2 * * *", ["parta.W002"]),
        ("Europe/Berlin", "0 * * * *", ["parta.W002"]),
        ("Europe/Berlin", "30 2 * * sun", ["parta.W002"]),
        ("Europe/Berlin", "30 2 * * mon", []),  # there clocks are changed on Sundays
        ("Europe/Berlin", "30 2 * 6 *", []),
        ("Europe/Berlin", "59 1 * * *", []),
        ("Europe/Berlin", "0 3 * * *", []),
        ("Europe/Berlin", "@daily", []),
        ("Africa/Cairo", "@daily", ["parta.W002"]),
        ("Africa/Cairo", "59 23 * * *", ["parta.W002"]),
        ("Africa/Cairo", "30 2 * * *", []),
        ("America/Havana", "59 0 * * *", ["parta.W002"]),
        ("America/Santiago", "15 23 * * *", ["parta.W002"]),
        ("Asia/Beirut", "0 0 * * *", ["parta.W002"]),
        ("Pacific/Easter", "30 22 * * *", ["parta.W002"]),
        ("UTC", "0 * * * *", []),
        ("Europe/Moscow", "30 2 * * *", []),
    ],
)
def test_sweep_stays_away_from_the_change_of_clocks(
    settings: Any, zone: str, cron: str, expected: list[str]
) -> None:
    settings.TIME_ZONE, settings.INACTIVITY_SWEEP_CRON = zone, cron
    assert found() == expected


@pytest.mark.parametrize(("retry", "expected"), [(180, ["parta.E005"]), (181, [])])
def test_retry_is_longer_than_the_longest_wait(
    settings: Any, retry: int, expected: list[str]
) -> None:
    timing = {"workers": 2, "queue_limit": 2, "bulk": 1, "timeout": 60, "retry": retry}
    settings.Q_CLUSTER = timing
    assert found() == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CACHES", {"default": {"BACKEND": "django.core.cache.backends.locmem.X"}}, "parta.W003"),
        ("MAILERS", {"default": {"BACKEND": "django.core.mail.backends.console.X"}}, "parta.W004"),
        ("MAILERS", {"default": {"BACKEND": "project.mail.outbox.EmailBackend"}}, "parta.W004"),
        ("DEFAULT_FROM_EMAIL", "Parta <noreply@localhost>", "parta.W005"),
        ("FRONTEND_URL", "http://app.school.example", "parta.W006"),
        ("SITE_URL", "http://school.example", "parta.W006"),
        ("STORAGE_URL", "s3://key:secret@s3.example/media", "parta.W009"),
    ],
)
def test_fault_of_a_deployment_is_reported(
    settings: Any, name: str, value: Any, expected: str
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
    settings.DEFAULT_FROM_EMAIL = "Parta <noreply@school.example>"
    assert found(deploy=True) == []
    setattr(settings, name, value)
    assert found(deploy=True) == [expected]


@pytest.mark.django_db
def test_an_address_without_https_of_the_front_that_ships_is_reported_as_one(settings: Any) -> None:
    settings.SITE_URL = settings.FRONTEND_URL = "http://school.example"
    (said,) = checks.check_deployed_addresses()
    assert "SITE_URL='http://school.example' is not an https address." in str(said)


def test_the_front_is_at_the_address_of_the_application_unless_another_is_named(
    tmp_path: Path,
) -> None:
    code = "from project.settings import *; print(FRONTEND_URL, FRONTEND_URL_IS_SET)"
    here, elsewhere = "https://school.example", "https://app.school.example"

    def told(**variables: str) -> str:
        given = {"SECRET_KEY": "s" * 60, "SITE_URL": f"{here}/", **variables}
        command = [sys.executable, "-c", code]
        return processes.run(command, processes.environment(tmp_path, **given)).stdout.strip()

    assert told() == told(FRONTEND_URL="") == told(FRONTEND_URL=here) == f"{here} False"
    assert told(FRONTEND_URL=f"{elsewhere}/") == f"{elsewhere} True"


@pytest.mark.parametrize(
    ("text", "expected"), [("on", True), ("YES", True), ("off", False), ("0", False), ("", True)]
)
def test_switch(monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:  # noqa: FBT001
    monkeypatch.setenv("LAMP", text)
    assert environment.switch("LAMP", default=True) is expected


@pytest.mark.parametrize(
    ("reader", "options", "text"),
    [
        (environment.switch, {"default": False}, "ture"),
        (environment.number, {"default": 1, "minimum": 1}, "0"),
        (environment.number, {"default": 1}, "-1"),
        (environment.choice, {"default": "a", "known": {"a"}}, "b"),
        (environment.duration, {"default": "4h"}, "4"),
        (environment.duration, {"default": "4h"}, "0h"),
        (environment.rate, {"default": "1/h"}, "10"),
        (environment.address, {"read": environment.env.db_url, "default": ""}, "hidden"),
        (environment.address, {"read": environment.env.cache_url, "default": ""}, "x://hidden"),
        (environment.address, {"read": environment.env.email_url, "default": ""}, "x://hidden"),
    ],
)
def test_senseless_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, reader: Any, options: dict[str, Any], text: str
) -> None:
    monkeypatch.setenv("VALUE", text)
    with pytest.raises(ImproperlyConfigured, match="VALUE") as caught:
        reader("VALUE", **options)
    assert "hidden" not in str(caught.value)


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PARTA_TEST_A=file\nPARTA_TEST_B=file\n")
    monkeypatch.setenv("ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("PARTA_TEST_A", "environment")
    monkeypatch.setenv("PARTA_TEST_B", "")
    monkeypatch.delenv("PARTA_TEST_B")
    assert environment.read_env_file() == tmp_path / ".env"
    assert environment.env.str("PARTA_TEST_A") == "environment"
    assert environment.env.str("PARTA_TEST_B") == "file"

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from people.tests.factories import UserFactory
from project.common.background.broker import QUIET
from project.common.background.tasks import canary
from project.mail.models import Delivery, Mailing, MailingState
from project.tests.test_headers import assert_secure

ALL_WELL = {"database": "ok", "migrations": "ok", "worker": "ok"}


def canary_due_in(*, minutes: float) -> None:
    due = timezone.now() + timedelta(minutes=minutes)
    assert Schedule.objects.filter(name="parta.canary").update(next_run=due)


def executed(*, minutes_ago: float, success: bool = True) -> Task:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    canary_due_in(minutes=1)
    return Task.objects.create(
        id=f"{minutes_ago}", name="x", func="x", started=at, stopped=at, success=success
    )


def test_healthz_needs_no_database_and_answers_under_any_host() -> None:
    # Without the `db` fixture a query fails the test.
    response = Client().get("/healthz", headers={"host": "10.1.2.3:8000"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_is_well_when_a_worker_has_just_worked() -> None:
    executed(minutes_ago=1.9)
    response = Client().get("/readyz", headers={"host": "10.1.2.3"})
    waiting = {"task": None, "mail": None}
    expected = {"status": "ok", "checks": ALL_WELL, "waiting": waiting}
    assert (response.status_code, response.json()) == (200, expected)


@pytest.mark.django_db
def test_readyz_says_for_how_long_tasks_and_mails_have_been_due() -> None:
    executed(minutes_ago=1)
    now = timezone.now()
    OrmQ.objects.create(key="parta", payload="", lock=now - timedelta(minutes=2))
    OrmQ.objects.create(key="parta", payload="", lock=now + timedelta(minutes=2))
    mailing = Mailing.objects.create(kind="reactivation", key="x", state=MailingState.LISTED)
    person = UserFactory.create()
    due = now - timedelta(minutes=40)
    Delivery.objects.create(mailing=mailing, recipient=person, due_at=due)
    response = Client().get("/readyz")
    assert response.status_code == 200
    waiting = response.json()["waiting"]
    assert 120 <= waiting["task"] < 180
    assert 2400 <= waiting["mail"] < 2460


@pytest.mark.django_db
def test_failed_task_proves_a_living_worker_too() -> None:
    executed(minutes_ago=1, success=False)
    assert Client().get("/readyz").status_code == 200


@pytest.mark.django_db
def test_right_after_the_start_the_worker_has_proved_nothing() -> None:
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == ALL_WELL | {"worker": "no execution seen yet"}


@pytest.mark.django_db
def test_silent_worker_is_not_ready() -> None:
    executed(minutes_ago=2.1)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["worker"].startswith("no execution since 20")


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [-2.1, 60], ids=str)
def test_worker_that_runs_no_schedule_is_not_ready(minutes: float) -> None:
    executed(minutes_ago=1)
    canary_due_in(minutes=minutes)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["worker"].startswith("no schedule runs: one is due 20")


@pytest.mark.django_db
def test_a_time_in_the_future_is_no_sign_of_life() -> None:
    executed(minutes_ago=-60)
    assert Client().get("/readyz").json()["checks"]["worker"] == "no execution seen yet"
    executed(minutes_ago=2.1)
    assert Client().get("/readyz").json()["checks"]["worker"].startswith("no execution since 20")


@pytest.mark.django_db
def test_waiting_migration_is_not_ready() -> None:
    executed(minutes_ago=1)
    (last,) = MigrationLoader(connection).graph.leaf_nodes("lms")
    MigrationRecorder(connection).record_unapplied(*last)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert "not applied" in response.json()["checks"]["migrations"]


def test_unreachable_database_is_named_and_nothing_else_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OperationalError("connection to 10.9.8.7, user parta, failed")

    monkeypatch.setattr(connection, "cursor", fail)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {
        "database": "unreachable",
        "migrations": "not checked",
        "worker": "not checked",
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_probe_is_never_cached_redirected_or_written_to(settings: Any, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = Client().get(path)
    assert response.status_code in {200, 503}
    assert "no-store" in response["Cache-Control"]
    assert_secure(response)
    assert Client().head(path).content == b""
    assert Client().post(path).status_code == 405


@pytest.mark.django_db
def test_canary_keeps_one_record_of_itself() -> None:
    for minutes_ago in (1, 2, 3):
        task = executed(minutes_ago=minutes_ago)
        Task.objects.filter(pk=task.pk).update(
            func="project.common.background.tasks.canary", group=QUIET
        )
    other = executed(minutes_ago=9)
    canary()
    assert set(Task.objects.values_list("id", flat=True)) == {"1", other.pk}

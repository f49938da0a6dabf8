"""Tasks that kill their worker are given up, and nobody else suffers."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import Failure, OrmQ, Success, Task
from django_q.signing import SignedPackage

from project.common import queue
from project.common.cluster import Broker
from project.tests.processes import Running, environment

ENQUEUE = """
import sys, django
django.setup()
from project.common.queue import enqueue
for name in sys.argv[1:]:
    enqueue(f"project.tests.poison.{name}")
"""


@pytest.fixture
def cluster(prepared: Path) -> Iterator[Running]:
    variables = environment(prepared, DJANGO_SETTINGS_MODULE="project.tests.poison_settings")
    running = Running(prepared, "qcluster", "--skip-checks", variables=variables)
    yield running
    running.end()


def enqueue(cluster: Running, *names: str) -> None:
    subprocess.run(
        [sys.executable, "-c", ENQUEUE, *names],
        env=cluster.variables,
        cwd=settings.BASE_DIR,
        check=True,
        timeout=60,
    )


def records(cluster: Running, name: str) -> list[tuple[bool, int]]:
    """Of the tasks of this name: were they successful, and how often were they tried."""
    with closing(sqlite3.connect(cluster.folder / "db.sqlite3", timeout=20)) as database:
        found = database.execute(
            "SELECT success, attempt_count FROM django_q_task WHERE func = ?",
            [f"project.tests.poison.{name}"],
        )
        return [(bool(success), attempts) for success, attempts in found]


def test_a_task_that_kills_its_worker_is_given_up_and_stops_nobody(cluster: Running) -> None:
    enqueue(cluster, "die", *["behave"] * 3, "hoard")
    cluster.wait_until(lambda: records(cluster, "behave") == [(True, 1)] * 3)
    cluster.wait_until(lambda: records(cluster, "die") == [(False, 2)])
    cluster.wait_until(lambda: records(cluster, "hoard") == [(False, 2)])
    assert "MemoryError" in cluster.text
    enqueue(cluster, "behave")
    cluster.wait_until(lambda: len(records(cluster, "behave")) == 4)


def wait_for_retry() -> None:
    OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1))


@pytest.fixture
def broker(db: None, monkeypatch: pytest.MonkeyPatch) -> Broker:
    monkeypatch.setattr("project.common.cluster.sleep", lambda seconds: None)
    return Broker(list_key="parta")


@pytest.fixture
def task(broker: Broker, django_capture_on_commit_callbacks) -> OrmQ:
    with django_capture_on_commit_callbacks(execute=True):
        queue.enqueue("project.tests.poison.behave")
    return OrmQ.objects.get()


def test_a_task_is_handed_out_as_often_as_it_may_be_tried_then_waits_among_the_failed(
    broker: Broker, task: OrmQ, django_capture_on_commit_callbacks
) -> None:
    for tries in range(1, 6):
        wait_for_retry()
        [(_key, payload)] = broker.dequeue()
        assert SignedPackage.loads(payload)["tries"] == tries
        assert not broker.dequeue()  # it is with a worker
    wait_for_retry()
    assert not broker.dequeue()
    assert not OrmQ.objects.exists()
    failure = Failure.objects.get()
    assert failure.attempt_count == 5
    assert failure.result == "Given up: 5 times no worker came back from it."
    with django_capture_on_commit_callbacks(execute=True):
        queue.try_again(failure.pk)
    wait_for_retry()
    [(_key, payload)] = broker.dequeue()
    assert SignedPackage.loads(payload)["tries"] == 1


def test_what_failed_before_is_told_too(broker: Broker, task: OrmQ) -> None:
    now = timezone.now()
    Task.objects.create(
        id=task.task["id"], func="x", started=now, stopped=now, success=False, result="ValueError"
    )
    for _try in range(6):
        wait_for_retry()
        broker.dequeue()
    assert Failure.objects.get().result.startswith("ValueError\nGiven up")


def test_what_was_done_is_not_said_to_have_failed(broker: Broker, task: OrmQ) -> None:
    now = timezone.now()
    Task.objects.create(id=task.task["id"], func="x", started=now, stopped=now, success=True)
    for _try in range(6):
        wait_for_retry()
        broker.dequeue()
    assert not OrmQ.objects.exists()
    assert Success.objects.exists()
    assert not Failure.objects.exists()


def test_only_the_cluster_that_is_asked_gives_a_sign_of_life(
    broker: Broker, task: OrmQ, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        queue.ask_for_life("project.common.tasks.sign_of_life", "guarded-ours")
    question = OrmQ.objects.get(key="guarded-ours")
    wait_for_retry()
    monkeypatch.setenv("PARTA_CLUSTER", "guarded-theirs")
    assert [key for key, _payload in broker.dequeue()] == [task.pk]
    wait_for_retry()
    monkeypatch.setenv("PARTA_CLUSTER", "guarded-ours")
    assert [key for key, _payload in broker.dequeue()] == [question.pk]

"""Tasks that kill their worker are given up, and nobody else suffers."""

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from django_q.models import Failure, OrmQ, Success, Task
from django_q.signing import SignedPackage

from project.common.background import queue
from project.common.background.broker import Broker, limit_memory, sign
from project.tests.processes import Running, environment
from project.tests.transactions import watched

ENQUEUE = """
import sys, django
django.setup()
from project.common.background.queue import enqueue
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
    monkeypatch.setattr("project.common.background.broker.sleep", lambda seconds: None)
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
    assert failure.result == "Given up: no worker finished it in 5 tries."
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
        queue.enqueue(
            "project.common.background.tasks.sign_of_life", "guarded-ours", cluster="guarded-ours"
        )
    question = OrmQ.objects.get(key="guarded-ours")
    wait_for_retry()
    monkeypatch.setenv("PARTA_CLUSTER", "guarded-theirs")
    assert [key for key, _payload in broker.dequeue()] == [task.pk]
    wait_for_retry()
    monkeypatch.setenv("PARTA_CLUSTER", "guarded-ours")
    assert [key for key, _payload in broker.dequeue()] == [question.pk]


def test_what_was_given_up_keeps_what_it_is_and_its_neighbour_waits_on(
    broker: Broker, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        queue.enqueue("project.tests.poison.behave", 7, colour="red", group="x")
        queue.enqueue("project.tests.poison.behave")
    poison, neighbour = OrmQ.objects.order_by("pk")
    spent = SignedPackage.dumps(poison.task | {"tries": 5})
    OrmQ.objects.filter(pk=poison.pk).update(payload=spent)
    wait_for_retry()
    assert not broker.dequeue()
    failure = Failure.objects.get()
    assert (failure.id, failure.name) == (poison.task["id"], poison.task["name"])
    assert (failure.func, failure.args, failure.kwargs, failure.group) == (
        "project.tests.poison.behave",
        (7,),
        {"colour": "red"},
        "x",
    )
    assert (failure.cluster, failure.started) == ("parta", poison.task["started"])
    assert timezone.now() - failure.stopped < timedelta(minutes=1)
    assert [key for key, _payload in broker.dequeue()] == [neighbour.pk]


def test_a_task_whose_failure_cannot_be_recorded_stays_in_the_queue(
    broker: Broker, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        queue.enqueue("project.tests.poison.behave")
    task = OrmQ.objects.get()
    OrmQ.objects.update(payload=SignedPackage.dumps(task.task | {"tries": 5}))
    wait_for_retry()
    # Taken off the queue, and then recorded.
    with pytest.raises(DatabaseError, match="disk is full"), watched(failing=2):
        broker.dequeue()
    assert OrmQ.objects.get().pk == task.pk
    assert not Failure.objects.exists()


def test_tasks_are_handed_out_in_order_one_by_one_for_five_minutes(broker: Broker) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        now = timezone.now()
        locks = [now - timedelta(seconds=1), now - timedelta(seconds=2), now]
        rows = [OrmQ.objects.create(key="parta", payload="spoilt", lock=lock) for lock in locks]
        OrmQ.objects.create(key="another", payload="spoilt", lock=locks[1])
        # What can't be read is the cluster's to throw away.
        assert broker.dequeue() == [(rows[0].pk, "spoilt")]
        assert broker.dequeue() == [(rows[1].pk, "spoilt")]
        assert not broker.dequeue()
        handed_out = OrmQ.objects.filter(lock=now + timedelta(minutes=5))
        assert set(handed_out) == set(rows[:2])
        clock.shift(timedelta(minutes=5))
        assert broker.dequeue() == [(rows[2].pk, "spoilt")]
        assert not broker.dequeue()


def test_a_sign_of_life_does_not_wait_behind_the_work_of_all(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = timezone.now() - timedelta(seconds=1)
    work, question = (
        OrmQ.objects.create(key=key, payload="x", lock=lock) for key in ("parta", "guarded-ours")
    )
    monkeypatch.setenv("PARTA_CLUSTER", "guarded-ours")
    assert broker.dequeue() == [(question.pk, "x")]
    assert broker.dequeue() == [(work.pk, "x")]


def test_a_task_that_another_cluster_took_at_the_same_moment_is_theirs(
    broker: Broker, task: OrmQ
) -> None:
    theirs = timezone.now() + timedelta(minutes=1)

    def be_faster(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not took:
            took.append(sql)
            OrmQ.objects.update(lock=theirs)
        return execute(sql, *rest)

    took: list[str] = []
    wait_for_retry()
    with connection.execute_wrapper(be_faster):
        assert not broker.dequeue()
    assert (len(took), OrmQ.objects.get().lock) == (1, theirs)


@pytest.mark.parametrize("name", ["guarded-ours", ""])
def test_the_record_of_a_task_names_the_cluster_that_has_a_guard(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTA_CLUSTER", name)
    record: dict[str, object] = {"id": "x"}
    sign(record)
    assert record == {"id": "x"} | ({"cluster": name} if name else {})


@pytest.mark.parametrize("error", [None, ValueError, OSError])
def test_a_worker_has_a_limit_of_memory_unless_the_system_has_a_stricter_one(
    error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    limits = []

    def set_limit(*limit: Any) -> None:
        limits.append(limit)
        if error:
            raise error

    monkeypatch.setattr("resource.setrlimit", set_limit)
    settings.WORKER_MEMORY = 300
    limit_memory()
    assert limits == [(resource.RLIMIT_DATA, (300 * 2**20, 300 * 2**20))]

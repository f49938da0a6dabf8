"""The guard of background work, with real clusters and with worse ones."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from project.common.background.queue import call_back_schedules, oldest_waiting_age
from project.common.background.tasks import canary
from project.processes import worker_guard
from project.processes.worker_guard import PATIENCE, HangDetector, keep_working
from project.tests.processes import Running, environment, processes_of, wait_until


@pytest.fixture
def worker(prepared: Path) -> Iterator[Running]:
    running = Running(prepared, "work", "--patience", "2", variables=environment(prepared))
    yield running
    running.end()


@pytest.fixture
def other(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A second cluster on the same database."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    variables = environment(prepared, HOME=str(elsewhere))
    running = Running(elsewhere, "work", "--patience", "20", variables=variables)
    yield running
    running.end()


def test_a_cluster_that_hangs_is_replaced_beside_one_that_works_and_ends_with_its_guard(
    worker: Running, other: Running
) -> None:
    # It asks for a sign of life, and gets one.
    worker.wait_until(lambda: "Processed" in worker.text)
    other.wait_until(lambda: "Processed" in other.text)
    working, hanging = other.pids("qcluster"), worker.pids("qcluster")
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    worker.wait_until(lambda: worker.text.count("ready for work") >= 4)
    assert "the worker is stuck: no task was finished for 2 seconds" in worker.text
    assert not hanging & worker.pids("qcluster")
    assert working <= other.pids("qcluster")
    worker.process.kill()
    worker.wait()
    wait_until(lambda: not processes_of(worker.folder))


def test_a_cluster_that_cant_live_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_guard, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(worker_guard, "MAX_QUICK_ENDS", 3)
    command = [sys.executable, "-Ic", "open('starts', 'a').write('x'); raise SystemExit(3)"]
    ended = keep_working(command, tmp_path, patience=60, grace=0)
    assert ended == "cluster stopped by itself (exit code 3), 3 times in a row"
    assert (tmp_path / "starts").read_text() == "xxx"


@pytest.mark.parametrize(("settled", "starts"), [(60, 4), (0, 5)])
def test_quick_ends_are_waited_for_twice_as_long_each_time_and_forgotten_once_it_lived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: float, starts: int
) -> None:
    monkeypatch.setattr(worker_guard, "FIRST_DELAY", 0.2)
    monkeypatch.setattr(worker_guard, "MAX_QUICK_ENDS", 4)
    monkeypatch.setattr(worker_guard, "SETTLED_SECONDS", settled)
    # The fifth asks its guard to stop.
    code = "import os, signal, time\n"
    code += "open('starts', 'a').write(f'{time.monotonic()} {os.environ[\"PARTA_CLUSTER\"]}\\n')\n"
    code += "if len(open('starts').readlines()) == 5: os.kill(os.getppid(), signal.SIGTERM)"
    ended = keep_working([sys.executable, "-Ic", code], tmp_path, patience=60, grace=0)
    lines = [line.split() for line in (tmp_path / "starts").read_text().splitlines()]
    assert len(lines) == len({name for _time, name in lines}) == starts
    assert all(name.startswith("guarded-") for _time, name in lines)
    times = [float(at) for at, _name in lines]
    gaps = [after - before for before, after in pairwise(times)]
    if settled:
        assert ended == "cluster stopped by itself (exit code 0), 4 times in a row"
        assert all(gap >= delay for gap, delay in zip(gaps, [0.2, 0.4, 0.8], strict=True))
    else:
        assert ended is None


class Day:
    """Hours go by as told, on the wall and inside the machine; they need not agree."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wall: time_machine.Traveller) -> None:
        self.inside = 1000.0
        self.wall = wall
        monkeypatch.setattr("project.processes.worker_guard.time.monotonic", lambda: self.inside)

    def passes(self, seconds: float) -> None:
        self.inside += seconds
        self.wall.shift(timedelta(seconds=seconds))

    def until_fault(
        self,
        detector: HangDetector,
        *,
        working: bool,
        cluster: str = "guarded-ours",
        scheduling: bool = True,
    ) -> float | None:
        """Seconds until it complains, ten minutes at the most."""
        for second in range(600):
            if working and second % 90 == 0:
                finish_task(cluster)
            if scheduling and second % 90 == 0:
                run_canary()
            if detector.find_fault() is not None:
                return second
            self.passes(1)
        return None


def run_canary() -> None:
    """Do as the cluster does when a schedule is due: nothing before."""
    now = timezone.now()
    rows = Schedule.objects.filter(name="parta.canary", next_run__lte=now)
    rows.update(next_run=now + timedelta(minutes=1))


def finish_task(cluster: str = "guarded-ours") -> None:
    now = timezone.now()
    Task.objects.create(
        id=f"{Task.objects.count():032}", func="x", started=now, stopped=now, cluster=cluster
    )


@pytest.fixture
def day(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    # The connection of the test holds its transaction.
    monkeypatch.setattr(connection, "close", lambda: None)
    with time_machine.travel(timezone.now(), tick=False) as wall:
        yield Day(monkeypatch, wall)


def test_a_cluster_that_finishes_nothing_hangs_within_two_minutes(day: Day) -> None:
    finish_task()
    # It looks every five seconds, and saw at the first look what was done.
    assert day.until_fault(HangDetector("guarded-ours", PATIENCE), working=False) == 115
    assert day.until_fault(HangDetector("guarded-new", PATIENCE, after=20), working=False) == 130


def test_the_work_of_another_cluster_is_no_sign_of_life(day: Day) -> None:
    detector = HangDetector("guarded-ours", PATIENCE)
    found_after = day.until_fault(detector, working=True, cluster="guarded-theirs")
    assert found_after is not None
    assert PATIENCE <= found_after <= 120


def test_a_cluster_that_works_is_left_alone_whatever_the_clock_says(day: Day) -> None:
    detector = HangDetector("guarded-ours", PATIENCE)
    for jump in (0, 7200, -14400):
        day.wall.shift(timedelta(seconds=jump))
        assert day.until_fault(detector, working=True) is None


@pytest.mark.parametrize("jump", [0, 7200, -7200], ids=str)
def test_a_cluster_that_works_and_looks_at_no_schedule_is_replaced(day: Day, jump: int) -> None:
    detector = HangDetector("guarded-ours", PATIENCE)
    assert day.until_fault(detector, working=True) is None
    day.wall.shift(timedelta(seconds=jump))
    found_after = day.until_fault(detector, working=True, scheduling=False)
    assert found_after is not None
    assert found_after <= 300


def test_a_cluster_that_finishes_nothing_is_found_when_the_clock_was_set_back(day: Day) -> None:
    detector = HangDetector("guarded-ours", PATIENCE)
    assert day.until_fault(detector, working=True) is None
    day.wall.shift(timedelta(hours=-2))
    found_after = day.until_fault(detector, working=False)
    assert found_after is not None
    assert found_after <= 120


def test_schedules_go_by_a_clock_that_was_set_back(day: Day) -> None:
    Schedule.objects.filter(name__startswith="parta.").update(
        next_run=timezone.now() + timedelta(days=3)
    )
    call_back_schedules()
    now = timezone.now()
    for row in Schedule.objects.filter(name__startswith="parta."):
        is_daily = row.schedule_type == Schedule.CRON
        assert row.next_run <= now + timedelta(days=1) * is_daily, row.name


def test_patience_outlasts_the_longest_task() -> None:
    ask, look = PATIENCE / worker_guard.ASKS, PATIENCE / worker_guard.LOOKS
    assert settings.Q_CLUSTER["timeout"] + ask + 2 * look < PATIENCE


@pytest.mark.django_db
def test_a_sign_of_life_is_asked_for_before_it_is_missed(
    day: Day, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        day.until_fault(HangDetector("guarded-ours", PATIENCE), working=False)
    assert 4 <= OrmQ.objects.count() <= 5
    question = OrmQ.objects.first()
    assert (question.key, question.func()) == (
        "guarded-ours",
        "project.common.background.tasks.sign_of_life",
    )
    # It is for the guard only, and not for those who look for tasks that wait.
    assert oldest_waiting_age() is None
    day.passes(601)
    canary()
    assert not OrmQ.objects.exists()


def test_without_a_database_no_cluster_is_blamed(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cluster: str) -> None:
        raise OperationalError("gone")

    detector = HangDetector("guarded-ours", PATIENCE)
    with monkeypatch.context() as broken:
        broken.setattr(worker_guard, "last_execution", fail)
        assert day.until_fault(detector, working=False) is None
    found_after = day.until_fault(detector, working=False)
    assert found_after is not None
    assert found_after >= PATIENCE - 10

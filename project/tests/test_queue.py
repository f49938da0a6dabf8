"""The door into the background: what is queued, what is told of it, and what is forgotten."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection, transaction
from django_q.models import OrmQ, Schedule, Task
from django_q.signals import post_execute_in_worker, pre_execute

from project.common.background import queue
from project.common.background.broker import QUIET
from project.common.background.schedules import Schedule as Entry
from project.common.background.tasks import SIGN_OF_LIFE, canary, sign_of_life
from project.tests.processes import wait_until
from project.tests.races import elsewhere

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
PATH = "project.common.background.tasks.canary"
locks = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite locks the whole database"
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def done(key: str, *, ago: timedelta = timedelta(0), **fields: Any) -> Task:
    fields = {"func": PATH, "success": True, "cluster": "parta"} | fields
    return Task.objects.create(id=key, name=key, started=NOW, stopped=NOW - ago, **fields)


def waits(key: str, *, lock: datetime = NOW) -> OrmQ:
    return OrmQ.objects.create(key=key, payload="", lock=lock)


def left(model: Any) -> set[Any]:
    return set(model.objects.values_list("pk", flat=True))


def test_a_task_is_queued_once_its_transaction_commits_and_a_typo_is_told_at_once(
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        queue.enqueue(PATH, 7, colour="red", group="x")
        with pytest.raises(ImportError):
            queue.enqueue("project.common.background.tasks.canaries")
    assert not OrmQ.objects.exists()
    assert len(callbacks) == 1
    callbacks[0]()
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["kwargs"], task["group"]) == (
        PATH,
        (7,),
        {"colour": "red"},
        "x",
    )


def test_the_last_execution_is_that_of_any_cluster_or_of_one() -> None:
    assert queue.last_execution() is None
    done("a", ago=SECOND, cluster="ours", success=False)
    done("b", ago=2 * SECOND, cluster="ours")
    done("c", ago=SECOND / 2, cluster="theirs")
    assert queue.last_execution() == NOW - SECOND / 2
    assert queue.last_execution("ours") == NOW - SECOND
    assert queue.last_execution("nobody's") is None


@pytest.mark.parametrize("success", [True, False])
def test_what_a_worker_has_done_is_off_the_queue_before_it_is_recorded(success) -> None:
    """A monitor that is killed leaves results unread: nothing of it is done again."""
    row = waits("a")
    task = {"id": "a", "success": success, "ack_id": row.pk}
    post_execute_in_worker.send(sender="django_q", func=None, task=task)
    assert left(OrmQ) == (set() if success else {row.pk})


@pytest.mark.parametrize(
    ("func", "result", "is_quiet"),
    [
        ("project.mail.tasks.deliver_mail", {"mails_sent": 0}, True),
        ("project.mail.tasks.deliver_mail", {"mails_sent": 2}, False),
        ("people.tasks.forget_log_ins", {"log_ins_forgotten": 2}, True),
        (PATH, {}, True),
    ],
)
def test_what_found_nothing_to_do_and_housekeeping_are_told_apart(func, result, is_quiet) -> None:
    task = {"id": "a", "success": True, "func": func, "result": result, "group": "parta.x"}
    post_execute_in_worker.send(sender="django_q", func=None, task=task)
    assert (task["group"] == QUIET) is is_quiet


def test_a_record_tells_when_the_work_began_and_not_when_it_was_queued(clock: Any) -> None:
    task = {"started": NOW - timedelta(hours=1)}
    pre_execute.send(sender="django_q", func=None, task=task)
    assert task["started"] == NOW


def test_failures_are_counted_and_nothing_else() -> None:
    done("a")
    done("b", success=False)
    done("c", success=False)
    assert queue.failed().count() == 2


def test_what_waits_is_told_without_the_questions_of_guards(clock: Any) -> None:
    assert queue.oldest_waiting_age() is None
    waits("guarded-ours", lock=NOW - timedelta(hours=1))
    with_a_worker = waits("parta", lock=NOW + MOMENT)
    assert queue.oldest_waiting_age() is None
    OrmQ.objects.filter(pk=with_a_worker.pk).update(lock=NOW)
    assert queue.oldest_waiting_age() == timedelta(0)
    waits("parta", lock=NOW - SECOND)
    waits("parta", lock=NOW - timedelta(minutes=3))
    assert queue.oldest_waiting_age() == timedelta(minutes=3)


def test_the_canary_forgets_questions_of_ten_minutes_ago_that_nobody_answered(clock: Any) -> None:
    limit = NOW - timedelta(minutes=10)
    kept = [waits("guarded-ours", lock=limit), waits("parta", lock=limit - timedelta(days=1))]
    waits("guarded-theirs", lock=limit - MOMENT)
    assert canary() == {}
    assert left(OrmQ) == {row.pk for row in kept}


def test_of_frequent_tasks_that_found_nothing_to_do_the_last_is_kept(clock: Any) -> None:
    for path in (PATH, "project.mail.tasks.deliver_mail", "people.tasks.sweep_inactive"):
        name = path.rpartition(".")[2]
        done(f"{name} older", func=path, ago=2 * SECOND, group=QUIET)
        done(f"{name} last", func=path, ago=SECOND, group=QUIET)
        done(f"{name} old", func=path, ago=3 * SECOND, group=QUIET)
        done(f"{name} busy", func=path, ago=4 * SECOND, group="parta.mail")
        done(f"{name} failed", func=path, ago=4 * SECOND, success=False)
    canary()
    assert left(Task) == {
        f"{name} {which}"
        for name, kept in [
            ("canary", ["last", "busy", "failed"]),
            ("deliver_mail", ["last", "busy", "failed"]),
            ("sweep_inactive", ["last", "older", "old", "busy", "failed"]),
        ]
        for which in kept
    }


def test_each_cluster_keeps_its_last_sign_of_life() -> None:
    for cluster in ("ours", "theirs"):
        for ago in (1, 2, 3):
            done(
                f"{cluster} {ago}",
                func=SIGN_OF_LIFE,
                cluster=cluster,
                ago=ago * SECOND,
                group=QUIET,
            )
    assert sign_of_life("ours") == {}
    assert left(Task) == {"ours 1", "theirs 1", "theirs 2", "theirs 3"}


def test_a_row_of_the_table_is_put_right_and_the_older_of_two_stays(clock: Any) -> None:
    Schedule.objects.all().delete()
    rows = [
        Schedule.objects.create(
            name=name, func="os.abort", schedule_type=Schedule.CRON, cron="1 5 * * *", repeats=3
        )
        for name in ("parta.x", "parta.x", "by hand", "parta.y")
    ]
    queue.synchronise_schedules(
        [Entry("x", PATH, "x", minutes=7), Entry("y", PATH, "x", cron="15 4 * * *")]
    )
    columns = ("pk", "func", "schedule_type", "minutes", "cron", "repeats")
    assert set(Schedule.objects.values_list(*columns)) == {
        (rows[0].pk, PATH, Schedule.MINUTES, 7, None, -1),
        (rows[2].pk, "os.abort", Schedule.CRON, None, "1 5 * * *", 3),
        (rows[3].pk, PATH, Schedule.CRON, None, "15 4 * * *", -1),
    }


@locks
@pytest.mark.django_db(transaction=True)
def test_two_servers_that_migrate_at_once_take_turns() -> None:
    """Each would find no row of the other's, and write one of its own."""
    Schedule.objects.all().delete()
    table = [Entry("new", PATH, "x", minutes=7)]
    with transaction.atomic():
        queue.synchronise_schedules(table)
        with pytest.raises(OperationalError, match="lock timeout"):
            elsewhere(lambda: queue.synchronise_schedules(table))
    elsewhere(lambda: queue.synchronise_schedules(table))
    assert Schedule.objects.get().name == "parta.new"


@locks
@pytest.mark.django_db(transaction=True)
def test_two_colleagues_who_try_a_task_again_at_once_queue_it_once() -> None:
    done("a" * 32, success=False)
    done("b" * 32, success=False)

    def try_again() -> str:
        try:
            queue.try_again("a" * 32)
        except queue.Unrepeatable:
            return "refused"
        finally:
            connection.close()
        return "queued"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            queue.try_again("a" * 32)
            colleague = pool.submit(try_again)
            wait_until(somebody_waits_for_a_lock)
        assert colleague.result() == "refused"
    assert OrmQ.objects.count() == 1
    assert left(Task) == {"b" * 32}


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        # A transaction looks at such figures once, else.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchall())


def test_a_task_that_cannot_be_queued_stays_among_the_failed() -> None:
    task = done("a", success=False, func="gone.for.good")
    with pytest.raises(queue.Unrepeatable):
        queue.try_again(task.pk)
    assert left(Task) == {"a"}


@pytest.mark.parametrize("text", ["anna@school.example", "Anna Karenina", "Анна"])
def test_no_personal_text_gets_into_the_queue(text) -> None:
    with pytest.raises(ValueError, match="takes keys"):
        queue.enqueue(PATH, 7, text)
    queue.enqueue(PATH, 7, "0f-a_b.c:d")

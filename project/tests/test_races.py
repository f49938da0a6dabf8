"""Several clusters, servers or members of the staff at once, on one queue."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from project.common.background import queue, schedules
from project.common.background.broker import Broker
from project.tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "project.tests.poison.behave"


@pytest.fixture
def broker(monkeypatch) -> Broker:
    monkeypatch.setattr("project.common.background.broker.sleep", lambda seconds: None)
    return Broker(list_key="parta")


def enqueue() -> None:
    queue.enqueue(PATH)
    OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1))


def test_a_task_is_handed_to_one_of_the_clusters_that_ask_at_once(broker):
    enqueue()
    taken = at_once(*[broker.dequeue] * 4, before_writing=OrmQ)
    assert sorted(map(len, taken)) == [0, 0, 0, 1]


def test_a_task_that_has_had_its_tries_is_given_up_by_one_cluster(broker, monkeypatch, caplog):
    monkeypatch.setattr("project.common.background.broker.Conf.MAX_ATTEMPTS", 0)
    enqueue()
    assert at_once(*[broker.dequeue] * 4, before_writing=OrmQ) == [[]] * 4
    assert not OrmQ.objects.exists()
    assert Task.objects.get().success is False
    assert caplog.text.count("was given up") == 1


def test_a_failed_task_that_two_have_tried_again_at_once_is_tried_once():
    now = timezone.now()
    task = Task.objects.create(id="1" * 32, func=PATH, started=now, stopped=now, success=False)
    again = partial(queue.try_again, task.pk)
    outcomes = at_once(again, again, before_writing=Task, refused=(queue.Unrepeatable,))
    assert [type(outcome) for outcome in outcomes].count(queue.Unrepeatable) == 1
    assert OrmQ.objects.count() == 1
    assert not Task.objects.exists()


def test_two_servers_that_migrate_at_once_write_each_schedule_once():
    Schedule.objects.all().delete()
    write = partial(queue.synchronise_schedules, schedules.SCHEDULES)
    at_once(write, write, before_writing=Schedule)
    names = list(Schedule.objects.values_list("name", flat=True))
    assert names
    assert sorted(names) == sorted({f"parta.{schedule.name}" for schedule in schedules.SCHEDULES})

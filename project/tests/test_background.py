"""Background work in the admin: what waits, was done, failed, and runs by the clock."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task

from project.common.background import queue

pytestmark = pytest.mark.django_db

PATH = "payments.tasks.reconcile_payments"


def page(model, name="changelist", *args):
    return reverse(f"admin:django_q_{model}_{name}", args=args)


def finished(number=0, *, success=False, func=PATH, **fields):
    now = timezone.now()
    return Task.objects.create(
        id=f"{number:032}",
        name=f"task {number}",
        func=func,
        args=(17,),
        kwargs={"colour": "red"},
        started=now - timedelta(seconds=2),
        stopped=now,
        success=success,
        result="3 asked" if success else 'Traceback:\n  File "x.py"\nValueError: <b>boom</b>',
        **fields,
    )


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


@pytest.fixture
def waiting(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        queue.enqueue(PATH, 17, colour="red")
    return OrmQ.objects.get()


def test_a_waiting_task_tells_what_it_is(client_of, administrator, waiting):
    OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1))
    for address in (page("ormq"), page("ormq", "change", waiting.pk)):
        text = client_of(administrator).get(address).text
        assert PATH in text
        assert "17, colour=&#x27;red&#x27;" in text
    assert "in progress" not in text
    OrmQ.objects.update(lock=timezone.now() + timedelta(minutes=5))
    assert "in progress" in client_of(administrator).get(page("ormq")).text


def test_a_task_that_cant_be_read_does_not_break_the_list(client_of, administrator):
    OrmQ.objects.create(key="parta", payload="spoilt", lock=timezone.now())
    response = client_of(administrator).get(page("ormq"))
    assert response.status_code == 200
    assert "unreadable" in response.text


def test_failures_tell_why(client_of, administrator):
    failed = finished()
    client = client_of(administrator)
    assert "ValueError: &lt;b&gt;boom&lt;/b&gt;" in client.get(page("failure")).text
    text = client.get(page("failure", "change", failed.pk)).text
    assert "File &quot;x.py&quot;" in text
    assert failed not in client.get(page("success")).context["cl"].queryset


def test_a_failed_task_is_tried_again(client_of, administrator, django_capture_on_commit_callbacks):
    failed = finished(group="reconciliation")
    address = page("failure", "try_again", failed.pk)
    client = client_of(administrator)
    assert client.get(address).status_code == 200
    assert not OrmQ.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(address)
    assert said(response) == ["1 task was queued again."]
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["kwargs"], task["group"]) == (
        PATH,
        (17,),
        {"colour": "red"},
        "reconciliation",
    )
    assert not Failure.objects.exists()


def test_many_are_tried_again_and_what_can_not_be_is_named(
    client_of, administrator, django_capture_on_commit_callbacks
):
    finished(1)
    finished(2)
    finished(3, func="gone.for.good")
    ids = list(Failure.objects.values_list("pk", flat=True))
    form = {"action": "try_again_many", "_selected_action": ids}
    with django_capture_on_commit_callbacks(execute=True):
        response = client_of(administrator).post(page("failure"), form)
    assert said(response) == [
        "gone.for.good: This task no longer exists, so it can't be tried again.",
        "2 tasks were queued again.",
    ]
    assert OrmQ.objects.count() == 2
    assert Failure.objects.get().func == "gone.for.good"


@pytest.mark.parametrize("success", [True, False])
def test_only_what_failed_is_tried_again(success):
    task = finished(success=True)
    with pytest.raises(queue.Unrepeatable):
        queue.try_again(task.pk if success else "gone")
    assert Success.objects.exists()


def test_schedules_tell_when_they_run_next(client_of, administrator):
    done = finished(success=True)
    Schedule.objects.all().delete()
    Schedule.objects.create(name="often", func=PATH, schedule_type="I", minutes=15, task=done.pk)
    Schedule.objects.create(name="nightly", func=PATH, schedule_type="C", cron="30 4 * * *")
    text = client_of(administrator).get(page("schedule")).text
    for words in ("every 15\N{NO-BREAK SPACE}minutes", "cron: 30 4 * * *", "none on record"):
        assert words in text


@pytest.mark.parametrize("model", ["ormq", "success", "failure", "schedule"])
def test_nothing_is_added_changed_or_deleted_by_hand(client_of, administrator, waiting, model):
    Schedule.objects.all().delete()
    subjects = {
        "ormq": waiting,
        "success": finished(1, success=True),
        "failure": finished(2),
        "schedule": Schedule.objects.create(name="x", func=PATH),
    }
    client = client_of(administrator)
    pk = subjects[model].pk
    assert client.get(page(model, "add")).status_code == 403
    assert client.post(page(model, "delete", pk), {"post": "yes"}).status_code == 403
    assert client.post(page(model, "change", pk), {"func": "os.abort"}).status_code == 403
    client.post(page(model), {"action": "delete_selected", "_selected_action": pk, "post": "yes"})
    assert type(subjects[model]).objects.filter(pk=pk).exists()


@pytest.mark.parametrize("number", [2, 20])
@pytest.mark.parametrize("model", ["success", "failure", "schedule"])
def test_queries_do_not_grow(client_of, administrator, model, number, django_assert_num_queries):
    Schedule.objects.all().delete()
    for index in range(number):
        task = finished(index, success=model == "success")
        Schedule.objects.create(name=f"s{index}", func=PATH, task=task.pk)
    client = client_of(administrator)
    # 1 session, 2 person, 3 their log-in, 4 count, 5 keys of the page, 6 rows.
    with django_assert_num_queries(6):
        client.get(page(model))

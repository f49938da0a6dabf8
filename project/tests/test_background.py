"""Background work in the admin: what waits, was done, failed, and runs by the clock."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone, translation
from django_q.models import Failure, OrmQ, Schedule, Success, Task

from project.admin_site.schedules import how_often
from project.common.background import queue
from project.common.background.broker import QUIET

pytestmark = pytest.mark.django_db

PATH = "payments.tasks.reconcile_payments"
DOES = "Asks Stripe about payments that are open for too long"
TRACEBACK = 'Traceback:\n  File "x.py"\nValueError: <b>boom</b>'


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
        **{"result": {"payments_asked_about": 3} if success else TRACEBACK} | fields,
    )


def column(response, name):
    """What the list shows in this column, row by row."""
    admin = response.context["cl"].model_admin
    return [getattr(admin, name)(row) for row in response.context["cl"].result_list]


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
        assert DOES in text
    assert f"Task: {PATH}" in text
    assert "Arguments: 17, colour=&#x27;red&#x27;" in text
    for minutes, state in ((5, "in progress"), (-1, "waiting"), (-3, "late")):
        OrmQ.objects.update(lock=timezone.now() + timedelta(minutes=minutes))
        [label] = column(client_of(administrator).get(page("ormq")), "state")
        assert label.text == state


def test_a_task_that_cant_be_read_does_not_break_the_list(client_of, administrator):
    OrmQ.objects.create(key="parta", payload="spoilt", lock=timezone.now())
    response = client_of(administrator).get(page("ormq"))
    assert response.status_code == 200
    assert "Unreadable task" in response.text


MEANINGS = {
    "Given up: no worker finished it in 5 tries.": "ended each time",
    "x\ndjango_q.exceptions.TimeoutException: 60": "longer than a task may take",
    "x\nMemoryError": "more memory",
    "x\nstripe.APIConnectionError: no route": "Stripe did not answer",
    "x\nConnectionRefusedError: [Errno 111]": "Another server",
    "x\ndjango.db.utils.OperationalError: database is locked": "The database",
    "x\nlms.models.courses.Course.DoesNotExist: none": "deleted meanwhile",
    "x\nOSError: [Errno 28] No space left on device": "The disk",
    "x\nValueError: Function a.b is not defined": "no such task",
    "x\nKeyError: 7": "no words for",
    None: "no words for",
}


def test_a_failure_says_what_it_means(client_of, administrator):
    for number, result in enumerate(MEANINGS):
        finished(number, result=result)
    response = client_of(administrator).get(page("failure"))
    for task in response.context["cl"].result_list:
        assert MEANINGS[task.result] in response.context["cl"].model_admin.meaning(task)


def test_the_page_of_a_failure_says_what_follows_and_has_a_text_for_the_operator(
    client_of, administrator
):
    failed = finished(func="people.tasks.make_export")
    client = client_of(administrator)
    text = client.get(page("failure", "change", failed.pk)).text
    assert "It will not be tried again unless you have it tried again." in text
    assert "ValueError: &lt;b&gt;boom&lt;/b&gt;" in text
    assert "File &quot;x.py&quot;" in text
    assert failed not in client.get(page("success")).context["cl"].queryset
    failed = finished(1)
    assert "It runs again by itself" in client.get(page("failure", "change", failed.pk)).text


def test_what_found_nothing_to_do_is_shown_when_it_is_asked_for(client_of, administrator):
    client = client_of(administrator)
    finished(1, success=True, group=QUIET, result={"payments_asked_about": 0})
    finished(2, success=True, group="parta.payments")
    finished(3, success=True, result="5 sent")
    assert column(client.get(page("success")), "outcome") == [
        "—",
        "Asked Stripe about 3 payments",
    ]
    assert "Nothing to do" in column(client.get(page("success") + "?shown=all"), "outcome")


def test_a_finished_task_is_found_by_what_it_does(client_of, administrator):
    client = client_of(administrator)
    finished(1, success=True)
    finished(2, success=True, func="gone.for.good")
    for text, found in (("ASKS stripe", [DOES]), ("gone", ["gone.for.good"])):
        assert column(client.get(page("success"), {"q": text}), "what") == found


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


@pytest.mark.parametrize(
    ("timing", "english", "russian"),
    [
        ({"minutes": 1}, "every minute", "каждую минуту"),
        ({"minutes": 21}, "every 21 minutes", "каждую 21 минуту"),
        ({"minutes": 5}, "every 5 minutes", "каждые 5 минут"),
        ({"minutes": 60}, "every hour", "каждый час"),
        ({"minutes": 180}, "every 3 hours", "каждые 3 часа"),
        ({"minutes": 24 * 60}, "once a day", "раз в день"),
        ({"cron": "30 4 * * *"}, "daily at 04:30", "ежедневно в 04:30"),
        (
            {"cron": "30 4 * * 1"},
            "Monday at 04:30, every week",
            "Понедельник, 04:30, каждую неделю",
        ),
        ({"cron": "30 4 1 * *"}, "by the timetable 30 4 1 * *", "по расписанию cron: 30 4 1 * *"),
    ],
)
def test_schedules_say_how_often_they_run(timing, english, russian):
    kind = Schedule.CRON if "cron" in timing else Schedule.MINUTES
    monday = datetime(2026, 11, 30, 4, 30, tzinfo=UTC)
    schedule = Schedule(name="x", func=PATH, schedule_type=kind, next_run=monday, **timing)
    with timezone.override(UTC):
        assert how_often(schedule) == english
        with translation.override("ru"):
            assert how_often(schedule) == russian


def test_a_schedule_tells_when_it_ran_and_whether_it_is_late(client_of, administrator):
    client = client_of(administrator)
    path = page("schedule", "change", Schedule.objects.get(func=PATH).pk)

    Schedule.objects.exclude(func=PATH).delete()
    Schedule.objects.update(next_run=timezone.now())

    def state():
        return [label.text for label in column(client.get(page("schedule")), "state")]

    assert state() == ["not yet"]
    finished(1, success=True)
    assert state() == ["done"]
    assert column(client.get(page("schedule")), "duration") == ["2.0 s"]
    assert "Asked Stripe about 3 payments" in client.get(path).text
    failed = finished(2)
    assert state() == ["failed"]
    assert page("failure", "change", failed.pk) in client.get(path).text
    Schedule.objects.update(next_run=timezone.now() - timedelta(minutes=3))
    assert state() == ["late"]


def test_housekeeping_is_folded_away_while_nothing_is_wrong_with_it(client_of, administrator):
    client = client_of(administrator)
    Schedule.objects.update(next_run=timezone.now())
    canary = "Shows that background work is running"
    shown = column(client.get(page("schedule")), "what")
    assert (shown[0], len(shown), canary in shown) == ("Sends emails", 7, False)
    assert canary in column(client.get(page("schedule") + "?shown=all"), "what")
    finished(1, func="project.common.background.tasks.canary")
    assert canary in column(client.get(page("schedule")), "what")


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

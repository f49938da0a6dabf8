"""The only door into the background. Only this module and `broker` know the cluster (Django-Q2)."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.apps.registry import Apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Min, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django_q.models import OrmQ, Task
from django_q.models import Schedule as ScheduleRow
from django_q.tasks import async_task

from project.common.background.broker import NAME_PREFIX, QUIET
from project.common.background.schedules import Schedule
from project.common.errors import Conflict

# Longer than this no worker finished anything: nobody works. The canary is due every minute, and
# the cluster looks at its schedules twice a minute.
SILENCE_LIMIT = timedelta(minutes=2)
# Marks the rows that come from our table; others belong to whoever made them in the admin.
SCHEDULE_PREFIX = "parta."
KEY = re.compile(r"[\w.:-]*", re.ASCII)


def enqueue(path: str, *arguments: object, **options: object) -> None:
    """Run the function at the dotted `path` in a worker, once the present transaction commits.

    Arguments are keys and numbers: what is known of people stays out of the queue and out of the record
    of tasks, where no erasure would find it. The broker delivers at least once: the task has to be
    idempotent. Of the options of Django-Q2, `cluster` names the one that is to run it. Raises
    ImportError at once for a path that leads nowhere, ValueError for a text that is no key.
    """
    import_string(path)
    if texts := [one for one in arguments if isinstance(one, str) and not KEY.fullmatch(one)]:
        raise ValueError(f"{path} takes keys, not {len(texts)} texts")
    transaction.on_commit(lambda: async_task(path, *arguments, **options))


def last_execution(cluster: str | None = None) -> datetime | None:
    """When a worker, of this cluster if one is named, last finished a task, well or badly; None if
    none is on record. A time in the future is from before the clock was set back, and says nothing."""
    tasks = Task.objects.filter(stopped__lte=timezone.now() + settings.CLOCK_TOLERANCE)
    tasks = tasks.filter(cluster=cluster) if cluster else tasks
    stopped: datetime | None = tasks.order_by("-stopped").values_list("stopped", flat=True).first()
    return stopped


def next_canary() -> datetime | None:
    """When the task that runs every minute is due next; None if its schedule is gone. As soon as it
    has been put into the queue this is a minute later."""
    canaries = ScheduleRow.objects.filter(name=f"{SCHEDULE_PREFIX}canary")
    due: datetime | None = canaries.values_list("next_run", flat=True).first()
    return due


def call_back_schedules() -> None:
    """Have schedules that wait for a time further away than they ever do, since the clock was set
    back, go by the clock as it is now."""
    now = timezone.now()
    for row in ScheduleRow.objects.filter(name__startswith=SCHEDULE_PREFIX, next_run__gt=now):
        is_cron = row.schedule_type == ScheduleRow.CRON
        due = row.calculate_next_run(now) if is_cron else now + timedelta(minutes=row.minutes or 0)
        if row.next_run > due + settings.CLOCK_TOLERANCE:
            ours = ScheduleRow.objects.filter(pk=row.pk, next_run=row.next_run)
            ours.update(next_run=due if is_cron else now)


def forget_unanswered(*, before: datetime) -> None:
    """Delete what was asked of clusters that are gone."""
    OrmQ.objects.filter(key__startswith=NAME_PREFIX, lock__lt=before).delete()


def oldest_waiting_age() -> timedelta | None:
    """For how long the oldest task has been waiting for a worker, not counting the questions of
    guards to their own cluster; None if none waits."""
    now = timezone.now()
    waiting = OrmQ.objects.exclude(key__startswith=NAME_PREFIX).filter(lock__lte=now)
    oldest = waiting.aggregate(oldest=Min("lock"))["oldest"]
    return now - oldest if oldest else None


def failed() -> QuerySet[Task]:
    """The tasks on record that failed for good."""
    rows: QuerySet[Task] = Task.objects.filter(success=False)
    return rows


def forget_older_successes(path: str, cluster: str | None = None) -> None:
    """Of a frequent task keep only the last record that tells of nothing, or these would push out those
    of all others."""
    tasks = Task.objects.filter(cluster=cluster) if cluster else Task.objects
    successes = tasks.filter(func=path, success=True, group=QUIET).order_by("-stopped")
    # Those of the future are older than they say: the clock was set back since.
    ahead = Q(stopped__gt=timezone.now() + settings.CLOCK_TOLERANCE)
    older = list(successes.exclude(ahead).values_list("pk", flat=True)[1:])
    Task.objects.filter(pk__in=older).delete()
    successes.filter(ahead).delete()


def synchronise_schedules(schedules: Iterable[Schedule], *, tables: Apps | None = None) -> None:
    """Make the database say what our table says; a second run changes nothing.

    `tables` is the state after a migration: one that took the cluster's tables away leaves
    nothing to do.
    """
    if tables is not None and "schedule" not in tables.all_models.get("django_q", {}):
        return
    with transaction.atomic():
        # Two servers that migrate at once take turns: the cluster's own table would take a
        # schedule twice. Any row that both find will do as the lock.
        list(ContentType.objects.select_for_update().filter(app_label="django_q"))
        kept = [_write(schedule).pk for schedule in schedules]
        ScheduleRow.objects.filter(name__startswith=SCHEDULE_PREFIX).exclude(pk__in=kept).delete()


def _write(schedule: Schedule) -> ScheduleRow:
    name = SCHEDULE_PREFIX + schedule.name
    row = ScheduleRow.objects.filter(name=name).order_by("pk").first() or ScheduleRow(name=name)
    row.func = schedule.path
    row.schedule_type = ScheduleRow.CRON if schedule.cron else ScheduleRow.MINUTES
    row.minutes = schedule.minutes
    row.cron = schedule.cron
    row.repeats = -1
    now = timezone.now()
    # The cluster computes the next run only after a run; a changed cron expression or time zone
    # has to count from now on. A run that is due stays due.
    if schedule.cron and (row.pk is None or row.next_run is None or row.next_run > now):
        row.next_run = row.calculate_next_run(now)
    row.save()
    return row


class Unrepeatable(Conflict):
    code = "unrepeatable"
    message = _("This task no longer exists, so it can't be tried again.")


@transaction.atomic
def try_again(task_id: str) -> None:
    """Put a failed task into the queue once more and forget that it failed. Raises Unrepeatable if
    its function is gone, or somebody else has put it there already."""
    task = Task.objects.select_for_update().filter(pk=task_id, success=False).first()
    if task is None:
        raise Unrepeatable
    options = {"group": task.group} if task.group else {}
    try:
        enqueue(task.func, *(task.args or ()), **(task.kwargs or {}), **options)
    except (ImportError, ValueError) as error:
        raise Unrepeatable from error
    task.delete()

"""Background work in the admin: what waits, what was done, what failed, what runs by the clock.

For administrators only. Nothing is added or deleted by hand: a task that waits is a promise, and
schedules are written by `migrate` from their table. The models are the cluster's; they are named by
label, because only `project.common.background.queue` imports it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import AdministratorsAdmin, Label, column, display
from project.common.admin.filters import DaysFilter
from project.common.background import queue

if TYPE_CHECKING:
    from django_q.models import Failure, OrmQ, Schedule, Success, Task
else:
    Failure = apps.get_model("django_q.Failure")
    OrmQ = apps.get_model("django_q.OrmQ")
    Schedule = apps.get_model("django_q.Schedule")
    Success = apps.get_model("django_q.Success")
    Task = apps.get_model("django_q.Task")

# The cluster gives it no name, and "OrmQ object (1)" would be the title of its page.
OrmQ.__str__ = lambda task: task.func() or "—"


def written(args: Iterable[object], kwargs: Mapping[str, object] | None) -> str:
    """Arguments as they were given."""
    named = [f"{name}={value!r}" for name, value in (kwargs or {}).items()]
    return ", ".join([*map(repr, args or ()), *named]) or "—"


@admin.register(OrmQ)
class WaitingAdmin(AdministratorsAdmin[OrmQ]):
    list_display = ("function", "arguments", "age", "tries", "state")
    empty_text = gettext_lazy(
        "Tasks will appear here while they wait for a worker, usually for a few seconds."
    )
    ordering = ("id",)
    sortable_by = ()
    fields = ("function", "arguments", "task_id", "age", "tries", "state")

    @display(description=gettext_lazy("function"))
    def function(self, waiting: OrmQ) -> str:
        return waiting.func() or _("unreadable")

    @display(description=gettext_lazy("arguments"))
    def arguments(self, waiting: OrmQ) -> str:
        return written(waiting.args(), waiting.kwargs())

    @display(description=gettext_lazy("waiting for"))
    def age(self, waiting: OrmQ) -> str:
        since: datetime | None = waiting.task.get("started")
        return timesince(since) if since else "—"

    @display(description=gettext_lazy("tries"))
    def tries(self, waiting: OrmQ) -> int:
        return int(waiting.task.get("tries", 0))

    @display(description=gettext_lazy("state"), label={"taken": "info", "waiting": "warning"})
    def state(self, waiting: OrmQ) -> Label:
        """The lock of a taken task is its time limit; a new one is locked up to its beginning."""
        if waiting.lock and waiting.lock > timezone.now():
            return Label("taken", _("in progress"))
        return Label("waiting", _("waiting"))


class FinishedAdmin(AdministratorsAdmin[Task]):
    list_filter = (("stopped", DaysFilter),)
    search_fields = ("func", "name")
    ordering = ("-stopped",)
    sortable_by = ("stopped",)

    @display(description=gettext_lazy("arguments"))
    def arguments(self, task: Task) -> str:
        return written(task.args, task.kwargs)

    @display(description=gettext_lazy("duration"))
    def took(self, task: Task) -> str:
        return _("%(seconds).1f s") % {"seconds": task.time_taken()}


@admin.register(Success)
class SuccessAdmin(FinishedAdmin):
    list_display = ("func", "arguments", "outcome", "stopped", "took")
    empty_text = gettext_lazy("Tasks that are done will appear here, the latest hundred of them.")
    fields = ("func", "arguments", "outcome", "attempt_count", "started", "stopped", "took", "name")

    @display(description=gettext_lazy("result"))
    def outcome(self, task: Task) -> str:
        return "—" if task.result is None else str(task.result)


TRY_AGAIN = StaffAction[Failure](
    name="try_again",
    title=gettext_lazy("Try again"),
    icon="replay",
    explanation=gettext_lazy("The task will be queued again and disappear from this list."),
    allows=lambda user: user.is_superuser,
    run=lambda task, _by, _answers: queue.try_again(task.pk),
    done=ngettext_lazy(
        "%(number)d task was queued again.",
        "%(number)d tasks were queued again.",
        "number",
    ),
    on_list=True,
    asks_on_list=False,
)


@admin.register(Failure)
class FailureAdmin(FinishedAdmin, ActionsAdmin[Failure]):
    list_display = ("func", "arguments", "reason", "attempt_count", "stopped")
    empty_text = gettext_lazy(
        "Tasks that fail will appear here, with the reason and a way to try them again."
    )
    fields = ("func", "arguments", "error", "attempt_count", "started", "stopped", "took", "name")
    staff_actions = (TRY_AGAIN,)

    @display(description=gettext_lazy("reason"))
    def reason(self, task: Task) -> str:
        """The last line of a traceback is what was raised."""
        return (str(task.result or "").strip().splitlines() or ["—"])[-1]

    @display(description=gettext_lazy("error"))
    def error(self, task: Task) -> SafeString:
        return format_html('<pre class="parta-error">{}</pre>', task.result or "—")

    def label_of(self, row: Failure) -> str:
        return str(row.func)

    def facts_of(self, row: Failure) -> Facts:
        return [
            (_("Function"), row.func),
            (_("Arguments"), self.arguments(row)),
            (_("Reason"), self.reason(row)),
        ]


@admin.register(Schedule)
class ScheduleAdmin(AdministratorsAdmin[Schedule]):
    list_display = ("name", "func", "how_often", "next_run", "last_run", "last_result")
    empty_text = gettext_lazy(
        "What is done by the clock will appear here once the database is prepared."
    )
    ordering = ("next_run", "id")
    sortable_by = ()
    fields = ("name", "func", "how_often", "next_run", "last_run", "last_result")

    last_run = column("last_stopped", gettext_lazy("last run"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        last = Task.objects.filter(pk=OuterRef("task"))
        schedules: QuerySet[Schedule] = (
            super()
            .get_queryset(request)
            .annotate(
                last_stopped=Subquery(last.values("stopped")),
                last_success=Subquery(last.values("success")),
            )
        )
        return schedules

    @display(description=gettext_lazy("how often"))
    def how_often(self, schedule: Schedule) -> str:
        if schedule.schedule_type == Schedule.CRON:
            return f"cron: {schedule.cron}"
        if schedule.schedule_type == Schedule.MINUTES:
            now = timezone.now()
            return _("every %s") % timesince(now - timedelta(minutes=schedule.minutes or 1), now)
        return str(schedule.get_schedule_type_display())

    @display(
        description=gettext_lazy("last result"),
        label={"well": "success", "badly": "danger", "never": "default"},
    )
    def last_result(self, schedule: Schedule) -> Label:
        if schedule.last_success is None:
            return Label("never", _("none on record"))
        if schedule.last_success:
            return Label("well", _("done"))
        return Label("badly", _("failed"))

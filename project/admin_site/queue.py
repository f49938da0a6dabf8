"""Background work in the admin: what waits, what was done, what failed.

For administrators only. Nothing is added or deleted by hand: a task that waits is a promise. The models
are the cluster's; they are named by label, because only `project.common.background.queue` imports it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy, pgettext

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import AdministratorsAdmin, Label, display, moment_shown
from project.common.admin.filters import DaysFilter, DropdownFilter
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, folded
from project.common.background import queue
from project.common.background.broker import QUIET
from project.common.background.failures import last_line, meaning_of_failure
from project.common.background.outcomes import outcome_in_words
from project.common.background.schedules import DOES

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.db.models import Model
    from django_q.models import Failure, OrmQ, Schedule, Success, Task

    from project.common.admin.filters import Lookups
else:
    Failure = apps.get_model("django_q.Failure")
    OrmQ = apps.get_model("django_q.OrmQ")
    Schedule = apps.get_model("django_q.Schedule")
    Success = apps.get_model("django_q.Success")
    Task = apps.get_model("django_q.Task")

COLOURS = {
    "done": "success",
    "failed": "danger",
    "late": "danger",
    "taken": "info",
    "waiting": "default",
    "never": "default",
}


def in_words(path: str | None) -> str:
    """What the task at this path does. Of former versions only the path is known."""
    return str(DOES.get(path or "", path)) if path else _("Unreadable task")


def took(started: datetime, stopped: datetime) -> str:
    seconds = (stopped - started).total_seconds()
    if seconds < 1:
        return _("%(number)d ms") % {"number": seconds * 1000}
    return _("%(seconds)s s") % {"seconds": number_format(seconds, 1)}


def written(args: Iterable[object], kwargs: Mapping[str, object] | None) -> str:
    """Arguments as they were given."""
    named = [f"{name}={value!r}" for name, value in (kwargs or {}).items()]
    return ", ".join([*map(repr, args or ()), *named])


# The titles of their pages.
OrmQ.__str__ = lambda waiting: in_words(waiting.func())
Task.__str__ = lambda task: in_words(task.func)
Schedule.__str__ = lambda schedule: in_words(schedule.func)


class FoldedFilter(DropdownFilter):
    """Leaves out what nobody looks for, unless all is asked for."""

    title = gettext_lazy("housekeeping")
    parameter_name = "shown"
    all_option = ("", gettext_lazy("Folded away"))

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        return [("all", gettext_lazy("Shown"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Model]") -> "QuerySet[Model]":
        return queryset if self.value() else self.worth_showing(queryset)

    def worth_showing(self, rows: "QuerySet[Model]") -> "QuerySet[Model]":
        return rows.exclude(group=QUIET)


class BackgroundAdmin[M: "Model"](HeadedAdmin[M], AdministratorsAdmin[M]):
    """What people want to know is in the head; the rest is for whoever runs the server."""

    list_display_links = ("what",)
    fieldsets = (folded("report"),)

    @display(description=gettext_lazy("what it does"))
    def what(self, row: M) -> str:
        return str(row)

    @display(description=gettext_lazy("report"))
    def report(self, row: M) -> SafeString:
        """As a text to copy."""
        lines = [f"{name}: {value or '—'}" for name, value in self.raw(row).items()]
        return format_html('<pre class="parta-error parta-report">{}</pre>', "\n".join(lines))

    def raw(self, row: M) -> dict[str, object]:
        raise NotImplementedError


@admin.register(OrmQ)
class WaitingAdmin(BackgroundAdmin[OrmQ]):
    list_display = ("what", "state", "age", "tries")
    empty_text = gettext_lazy(
        "Tasks will appear here while they wait for a worker, usually for a few seconds."
    )
    ordering = ("id",)
    sortable_by = ()

    def head_of(self, request: HttpRequest, row: OrmQ) -> Head:
        state = self.state(row)
        facts = [
            HeadFact(_("Waiting for"), self.age(row)),
            HeadFact(_("Tries"), str(self.tries(row))),
        ]
        return Head(str(row), [Badge(state.text, COLOURS[state.key])], facts)

    def raw(self, row: OrmQ) -> dict[str, object]:
        return {
            _("Task"): row.func(),
            _("Arguments"): written(row.args(), row.kwargs()),
            _("Number"): row.task_id(),
        }

    @display(description=gettext_lazy("waiting for"))
    def age(self, waiting: OrmQ) -> str:
        since: datetime | None = waiting.task.get("started")
        return timesince(since) if since else "—"

    @display(description=gettext_lazy("tries"))
    def tries(self, waiting: OrmQ) -> int:
        return int(waiting.task.get("tries", 0))

    @display(description=gettext_lazy("state"), label=COLOURS)
    def state(self, waiting: OrmQ) -> Label:
        """The lock of a taken task is its time limit; a new one is locked up to its beginning."""
        late = timezone.now() - (waiting.lock or timezone.now())
        if late < timedelta(0):
            return Label("taken", _("in progress"))
        return (
            Label("late", _("late"))
            if late > queue.SILENCE_LIMIT
            else Label("waiting", _("waiting"))
        )


class FinishedAdmin[T: Task](BackgroundAdmin[T]):
    search_fields = ("func",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("What a task does")
    ordering = ("-stopped",)
    sortable_by = ("stopped",)

    def found(self, rows: QuerySet[T], text: str) -> QuerySet[T]:
        paths = [path for path, does in DOES.items() if text.lower() in str(does).lower()]
        return rows.filter(Q(func__in=paths) | Q(func__icontains=text))

    def facts(self, task: T) -> list[HeadFact]:
        return [
            HeadFact(_("Ended"), moment_shown(task.stopped)),
            HeadFact(_("Duration"), self.duration(task)),
        ]

    def raw(self, row: T) -> dict[str, object]:
        return {
            _("Task"): row.func,
            _("Arguments"): written(row.args, row.kwargs),
            _("Number"): row.pk,
            _("Begun"): row.started,
            _("Ended"): row.stopped,
            _("Tries"): row.attempt_count,
            _("Result"): row.result,
        }

    @display(description=gettext_lazy("duration"))
    def duration(self, task: T) -> str:
        return took(task.started, task.stopped)


@admin.register(Success)
class SuccessAdmin(FinishedAdmin[Success]):
    list_display = ("what", "outcome", "stopped", "duration")
    empty_text = gettext_lazy("Tasks that are done will appear here, the latest hundred of them.")
    list_filter = (FoldedFilter, ("stopped", DaysFilter))
    list_after_template = "admin/folded.html"

    def head_of(self, request: HttpRequest, row: Success) -> Head:
        facts = [HeadFact(_("Result"), self.outcome(row)), *self.facts(row)]
        return Head(str(row), [Badge(_("done"), COLOURS["done"])], facts)

    @display(description=gettext_lazy("result"))
    def outcome(self, task: Success) -> str:
        return outcome_in_words(task.result)


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
class FailureAdmin(FinishedAdmin[Failure], ActionsAdmin[Failure]):
    list_display = ("what", "meaning", "stopped", "attempt_count")
    empty_text = gettext_lazy(
        "Tasks that fail will appear here, with the reason and a way to try them again."
    )
    list_filter = (("stopped", DaysFilter),)
    staff_actions = (TRY_AGAIN,)

    def head_of(self, request: HttpRequest, row: Failure) -> Head:
        meaning = meaning_of_failure(row.result)
        facts = [
            *self.facts(row),
            HeadFact(_("Tries"), str(row.attempt_count)),
            HeadFact(_("Error"), last_line(row.result)),
        ]
        badge = Badge(pgettext("task", "failed"), COLOURS["failed"])
        return Head(str(row), [badge], facts, [*meaning, self.what_follows(row)])

    def what_follows(self, task: Failure) -> str:
        """What runs by the clock does so whatever became of it."""
        schedule = Schedule.objects.filter(func=task.func).first()
        if schedule is None:
            return _("It will not be tried again unless you have it tried again.")
        return _("It runs again by itself: %(when)s.") % {"when": moment_shown(schedule.next_run)}

    @display(description=gettext_lazy("what it means"))
    def meaning(self, task: Failure) -> str:
        return str(meaning_of_failure(task.result).says)

    def facts_of(self, row: Failure) -> Facts:
        return [
            (_("Task"), str(row)),
            (_("What it means"), self.meaning(row)),
            (_("Error"), last_line(row.result)),
        ]

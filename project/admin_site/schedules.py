"""What runs by the clock, in the admin. The rows are written by `migrate` from their table."""

from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib import admin
from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.formats import time_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from project.admin_site.queue import COLOURS, BackgroundAdmin, FoldedFilter, took
from project.common.admin.base import Label, display, moment_shown
from project.common.admin.heads import Badge, Head, HeadFact
from project.common.background import queue
from project.common.background.failures import meaning_of_failure
from project.common.background.outcomes import outcome_in_words
from project.common.background.schedules import HOUSEKEEPING, SCHEDULES

if TYPE_CHECKING:
    from django_q.models import Schedule, Task
else:
    Schedule = apps.get_model("django_q.Schedule")
    Task = apps.get_model("django_q.Task")

HOUR, DAY = 60, 24 * 60


def how_often(schedule: Schedule) -> str:
    """In the zone of whoever reads it."""
    if schedule.schedule_type == Schedule.MINUTES:
        return _every(schedule.minutes or 1)
    if schedule.schedule_type != Schedule.CRON:  # made by hand
        return str(schedule.get_schedule_type_display())
    at = localtime(schedule.next_run)
    known = {
        "time": time_format(at, "TIME_FORMAT"),
        "day": WEEKDAYS[at.weekday()],
        "cron": schedule.cron,
    }
    match (schedule.cron or "").split():
        case [minute, hour, "*", "*", "*"] if (minute + hour).isdecimal():
            return _("daily at %(time)s") % known
        case [minute, hour, "*", "*", day] if (minute + hour + day).isdecimal():
            return _("%(day)s at %(time)s, every week") % known
    return _("by the timetable %(cron)s") % known


def _every(minutes: int) -> str:
    if minutes == 1:
        return _("every minute")
    if minutes == HOUR:
        return _("every hour")
    if minutes == DAY:
        return _("once a day")
    if minutes % HOUR == 0:
        hours = minutes // HOUR
        return ngettext("every %(number)d hour", "every %(number)d hours", hours) % {
            "number": hours
        }
    words = ngettext("every %(number)d minute", "every %(number)d minutes", minutes)
    return words % {"number": minutes}


class HousekeepingFilter(FoldedFilter):
    def worth_showing(self, rows: QuerySet[Schedule]) -> QuerySet[Schedule]:
        """Unless something is wrong with it."""
        is_fine = Q(next_run__gte=timezone.now() - queue.SILENCE_LIMIT)
        is_fine &= Q(last_success=True) | Q(last_success=None)
        return rows.exclude(is_fine, func__in=HOUSEKEEPING)


@admin.register(Schedule)
class ScheduleAdmin(BackgroundAdmin[Schedule]):
    list_display = ("what", "state", "how_often", "last_done", "duration", "next_time")
    empty_text = gettext_lazy(
        "What is done by the clock will appear here once the database is prepared."
    )
    list_filter = (HousekeepingFilter,)
    list_after_template = "admin/folded.html"
    sortable_by = ()
    # As their table has them.
    ordering = (
        Case(
            *(When(func=one.path, then=place) for place, one in enumerate(SCHEDULES)),
            default=len(SCHEDULES),
        ),
        "id",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        last = Task.objects.filter(func=OuterRef("func")).order_by("-stopped")
        schedules: QuerySet[Schedule] = (
            super()
            .get_queryset(request)
            .annotate(
                last_started=Subquery(last.values("started")[:1]),
                last_stopped=Subquery(last.values("stopped")[:1]),
                last_success=Subquery(last.values("success")[:1]),
            )
        )
        return schedules

    def head_of(self, request: HttpRequest, row: Schedule) -> Head:
        state = self.state(row)
        facts = [
            HeadFact(_("How often"), how_often(row)),
            HeadFact(_("Last done"), self.last_done(row), note=self.duration(row)),
            HeadFact(_("Next time"), self.next_time(row)),
        ]
        last = Task.objects.filter(func=row.func).order_by("-stopped").first()
        if last and last.success:
            facts.insert(2, HeadFact(_("Result"), outcome_in_words(last.result)))
        elif last:
            link = reverse("admin:django_q_failure_change", args=[last.pk])
            facts.insert(
                2, HeadFact(_("What it means"), meaning_of_failure(last.result).says, link)
            )
        return Head(str(row), [Badge(state.text, COLOURS[state.key])], facts)

    def raw(self, row: Schedule) -> dict[str, object]:
        return {
            _("Task"): row.func,
            _("Name"): row.name,
            _("Minutes"): row.minutes,
            "cron": row.cron,
            _("Number"): row.task,
        }

    @display(description=gettext_lazy("how often"))
    def how_often(self, schedule: Schedule) -> str:
        return how_often(schedule)

    @display(description=gettext_lazy("state"), label=COLOURS)
    def state(self, schedule: Schedule) -> Label:
        if timezone.now() - schedule.next_run > queue.SILENCE_LIMIT:
            return Label("late", _("late"))
        if schedule.last_success is None:
            return Label("never", _("not yet"))
        return (
            Label("done", _("done"))
            if schedule.last_success
            else Label("failed", pgettext("task", "failed"))
        )

    @display(description=gettext_lazy("last done"))
    def last_done(self, schedule: Schedule) -> str:
        return moment_shown(schedule.last_stopped)

    @display(description=gettext_lazy("duration"))
    def duration(self, schedule: Schedule) -> str:
        if schedule.last_stopped is None:
            return "—"
        return took(schedule.last_started, schedule.last_stopped)

    @display(description=gettext_lazy("next time"))
    def next_time(self, schedule: Schedule) -> str:
        return moment_shown(schedule.next_run)

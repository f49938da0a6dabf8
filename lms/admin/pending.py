"""What was collected and waits to be mailed: read it, send it now, drop it."""

from collections.abc import Iterable, Sequence
from typing import Any, cast, override

from django import forms
from django.contrib import admin
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from lms import permissions
from lms.admin.materials import person_label
from lms.admin.sentences import listed, when, written
from lms.models import Course, CourseChange
from lms.models.updates import PendingUpdate
from lms.models.visibility import MaterialQuerySet
from lms.services import forecasts, updates
from lms.services.forecasts import Forecast
from people.current_user import current_user
from people.models import User
from project.common.admin.actions import ActionsAdmin, Facts, Outcome, StaffAction
from project.common.admin.base import Fieldsets, ReadOnly, column, display, moment_shown
from project.common.admin.forms import Answers, RowsForm, reason_field
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, fact_about
from project.common.admin.lists import StaffChangeList
from project.common.admin.log import noted

# Of each course in the list; its page has all.
LINES_IN_LIST = 5


class DropForm(RowsForm):
    """Only what the page showed is dropped: `up_to` has the last change among that, by course."""

    up_to = forms.JSONField(widget=forms.HiddenInput)
    reason = reason_field(
        max_length=200, help_text=gettext_lazy("Recorded with the action. Only staff can see it.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False

    @override
    def fit_to(self, rows: Sequence[PendingUpdate]) -> None:
        shown = CourseChange.objects.collected().filter(course__in=rows)
        last = shown.order_by("course").values_list("course").annotate(Max("pk"))
        self.fields["up_to"].initial = dict(last)

    def clean_up_to(self) -> dict[str, int]:
        answer = self.cleaned_data["up_to"]
        if isinstance(answer, dict) and all(type(last) is int for last in answer.values()):
            return answer
        raise forms.ValidationError(_("This is not what the page said."), code="invalid")


def _drop(course: PendingUpdate, _by: User, answers: Answers) -> str:
    dropped = updates.drop(course, up_to=answers["up_to"].get(str(course.pk), 0))
    lines = "; ".join(map(written, dropped))
    text = _("Dropped: %(course)s. %(lines)s") % {"course": course, "lines": lines}
    return Outcome(text, [noted(line.kind.label, line.in_figures) for line in dropped])


SEND = StaffAction[PendingUpdate](
    name="send_now",
    title=gettext_lazy("Send now"),
    icon="send",
    explanation=gettext_lazy(
        "The subscribers get the email now and not when the course has been quiet for a while. What "
        "is changed after that is collected again."
    ),
    allows=lambda user: user.has_perm("lms.change_course"),
    allows_with=permissions.can_update_course,
    fits=lambda course: course.is_published and course.changes.collected().exists(),
    run=lambda course, _by, _answers: updates.hasten(course),
    done=gettext_lazy("Sent off: %(rows)s."),
    on_list=True,
    variant=ActionVariant.PRIMARY,
)
DROP = StaffAction[PendingUpdate](
    name="drop",
    title=gettext_lazy("Drop"),
    icon="delete",
    explanation=gettext_lazy(
        "Nobody will be notified of these changes, now or later. The course stays as it is. Who gets "
        "the daily email may have heard of them already."
    ),
    allows=lambda user: user.has_perm("lms.change_course"),
    allows_with=permissions.can_update_course,
    fits=lambda course: course.changes.collected().exists(),
    form=DropForm,
    run=_drop,
    on_list=True,
    variant=ActionVariant.DANGER,
    is_danger=True,
)


class PendingChangeList(StaffChangeList):
    """The courses of which something waits."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        waiting = CourseChange.objects.collected().filter(course=OuterRef("pk"))
        return super().get_queryset(request, *args, **kwargs).filter(Exists(waiting))

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        cast(PendingUpdateAdmin, self.model_admin).look_ahead(request, self.result_list)


@admin.register(PendingUpdate)
class PendingUpdateAdmin(ReadOnly, ActionsAdmin[PendingUpdate], HeadedAdmin[PendingUpdate]):
    list_display = ("title", "since", "by", "what_in_short", "number", "daily", "goes_out")
    empty_text = gettext_lazy(
        "Changes of courses that have subscribers will appear here until the subscribers are told of them."
    )
    sortable_by = ()
    staff_actions = (SEND, DROP)
    misfit = updates.NothingWaits.message

    number = column("forecast.number", gettext_lazy("recipients"), is_figure=True)
    daily = column("forecast.daily", gettext_lazy("by the daily email"))
    by = column("authors", gettext_lazy("by"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingUpdate]:
        """Of a course of which nothing waits the page says so, and leads to the log."""
        rows = cast("MaterialQuerySet[PendingUpdate]", super().get_queryset(request))
        return rows.visible_to(current_user(request))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> PendingUpdate | None:
        course = super().get_object(request, object_id, from_field)
        if course is not None:
            self.look_ahead(request, [course])
        return course

    def look_ahead(self, request: HttpRequest, courses: Iterable[PendingUpdate]) -> None:
        """Remember what becomes of the courses, and how the person may know those who changed them."""
        viewer = current_user(request)
        for forecast in forecasts.of_collected(courses):
            names = dict.fromkeys(person_label(viewer, one.changed_by) for one in forecast.changes)
            vars(forecast.course).update(forecast=forecast, authors=", ".join(names))

    @override
    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[PendingChangeList]:
        return PendingChangeList

    def has_view_permission(self, request: HttpRequest, obj: Course | None = None) -> bool:
        user = current_user(request)
        may = obj is None or permissions.can_update_course(user, obj)
        return may and user.has_perm("lms.change_course")

    def state_of(self, row: PendingUpdate) -> frozenset[str]:
        """What is collected on top of what the question showed is no matter: it stays collected, or
        goes along. Another beginning means that a colleague has sent or dropped what was there."""
        return frozenset(map(str, row.changes.collected().order_by("pk").values_list("pk")[:1]))

    def facts_of(self, row: PendingUpdate) -> Facts:
        [forecast] = forecasts.of_collected([row])
        return [
            (self.opts.verbose_name or "", str(row)),
            (gettext_lazy("what changed"), listed(forecast) or "—"),
            (gettext_lazy("recipients"), str(forecast.number)),
            (gettext_lazy("by the daily email"), str(forecast.daily)),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: PendingUpdate | None = None) -> Fieldsets:
        """The head tells all of it."""
        return []

    def head_of(self, request: HttpRequest, row: PendingUpdate) -> Head:
        forecast = _forecast_of(row)
        facts = [
            fact_about(request, _("course"), Course.objects.get(pk=row.pk)),
            HeadFact(_("goes out"), self.goes_out(row)),
            HeadFact(_("recipients"), str(forecast.number)),
            HeadFact(_("by the daily email"), str(forecast.daily)),
            HeadFact(_("collected since"), self.since(row)),
            HeadFact(_("by"), vars(row)["authors"] or "—"),
        ]
        waits = Badge(_("waits"), "info") if forecast.changes else Badge(_("nothing waits"))
        return Head(row.title, [waits], facts, [listed(forecast)] if forecast.lines else [])

    @display(description=gettext_lazy("collected since"))
    def since(self, course: PendingUpdate) -> str:
        changes = _forecast_of(course).changes
        return moment_shown(changes[0].changed_at if changes else None)

    @display(description=gettext_lazy("what changed"))
    def what_in_short(self, course: PendingUpdate) -> str:
        return listed(_forecast_of(course), most=LINES_IN_LIST) or "—"

    @display(description=gettext_lazy("goes out"))
    def goes_out(self, course: PendingUpdate) -> str:
        forecast = _forecast_of(course)
        return when(forecast) if forecast.changes else "—"


def _forecast_of(course: PendingUpdate) -> Forecast:
    forecast: Forecast = vars(course)["forecast"]
    return forecast

"""Who learns and follows a course: a page of the course, and a table to take along."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.apps import apps
from django.contrib.admin import site
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from lms import permissions
from lms.admin.materials import MaterialsAdmin, person_label
from lms.models import Access, AccessSource, Course
from lms.statistics import Follower, Followers, Learner, Learners
from people.current_user import current_user
from people.models import User
from people.models.querysets import NAME_SEARCHES, PUBLIC_SEARCHES
from project.common.admin.actions import ActionsAdmin
from project.common.admin.base import moment_shown, tells_errors
from project.common.admin.exporting import FormatForm
from project.common.admin.log import noted
from project.common.admin.tables import Cell, Table
from project.common.db.snapshots import one_moment

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

PEOPLE_ON_PAGE = 50
LEARNERS, SUBSCRIBERS = "learners", "subscribers"
EXPORTED = {
    LEARNERS: gettext_lazy("Exported the learners"),
    SUBSCRIBERS: gettext_lazy("Exported the subscribers"),
}
DEFAULT_ORDER = "-since"

type Participant = Learner | Follower


class SearchForm(forms.Form):
    q = forms.CharField(
        required=False,
        max_length=200,
        label=gettext_lazy("Search people"),
        widget=UnfoldAdminTextInputWidget(
            attrs={"type": "search", "placeholder": gettext_lazy("Search people")}
        ),
    )


class Column:
    """What is shown of a participant, and by which name it puts them in order."""

    def __init__(
        self,
        title: "StrOrPromise",
        value: Callable[[Any], Any],
        order: str = "",
        *,
        exported: Callable[[Any], Cell] | None = None,
        exported_title: "StrOrPromise" = "",
    ) -> None:
        self.title, self.value, self.order = title, value, order
        self.exported = exported or value
        self.exported_title = exported_title or title


def sources_of(rights: list[Access]) -> str:
    """How somebody came to their rights, and to what: the whole course, or so many lessons."""
    sources = {AccessSource(right.source).label for right in rights}
    lessons = {right.lesson_id for right in rights if right.lesson_id}
    if any(right.course_id for right in rights):
        part = _("whole course")
    else:
        part = ngettext("%(number)d lesson", "%(number)d lessons", len(lessons))
        part %= {"number": len(lessons)}
    return f"{', '.join(sorted(map(str, sources)))} · {part}"


class Participants:
    """Learners or subscribers of a course, as one of the staff may know them: whoever looks after people knows
    their names and addresses, and when they were here."""

    def __init__(self, course: Course, viewer: User, *, which: str) -> None:
        self.course, self.viewer, self.which = course, viewer, which
        self.knows_people = viewer.has_perm("people.view_user")
        self.people = Followers(course) if which == SUBSCRIBERS else Learners(course)
        self.columns = list(self._columns())
        self.orders = {column.order for column in self.columns if column.order}

    def _columns(self) -> Iterator[Column]:
        yield Column(
            _("name"),
            self._name,
            "name" if self.knows_people else "first_name",
            exported=lambda row: person_label(self.viewer, row.person),
        )
        if self.knows_people:
            yield Column(_("email"), lambda row: row.person.email)
        if self.which == LEARNERS:
            yield Column(_("access"), lambda row: sources_of(row.rights))
        yield Column(
            _("since"),
            lambda row: moment_shown(row.since),
            "since",
            exported=lambda row: row.since,
        )
        if self.which == LEARNERS:
            yield Column(
                _("progress"),
                lambda row: (
                    f"{row.progress.completed}/{row.progress.total} · {row.progress.percent} %"
                ),
                "progress",
                exported=lambda row: row.progress.percent,
                exported_title=_("progress, %"),
            )
        if self.knows_people:
            yield Column(
                _("last seen"),
                lambda row: moment_shown(row.person.was_here_at),
                "seen",
                exported=lambda row: row.person.was_here_at,
            )

    def _name(self, row: Participant) -> str:
        label = person_label(self.viewer, row.person)
        if not self.knows_people:
            return label
        address = reverse("admin:people_user_change", args=[row.person.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, label)

    def narrow(self, text: str) -> None:
        searches = NAME_SEARCHES if self.knows_people else PUBLIC_SEARCHES
        self.people.matching(text, *searches)

    def exported(self) -> Table:
        titles = {LEARNERS: _("Learners"), SUBSCRIBERS: _("Subscribers")}
        return Table(
            name=f"{self.which}-{self.course.pk}",
            title=titles[self.which],
            header=[capfirst(str(column.exported_title)) for column in self.columns],
            number=self.people.count(),
            rows=self._cells(),
        )

    def _cells(self) -> Iterator[list[Cell]]:
        for chunk in self.people.in_chunks():
            for row in chunk:
                yield [column.exported(row) for column in self.columns]


class ParticipantsPage(ActionsAdmin[Course], MaterialsAdmin[Course]):
    """Adds the page, and a button that leads there, to those of a course."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.actions_detail = ["participants", "enrol", *self.actions_detail]

    def buttons_of(self, request: HttpRequest, row: Course) -> list[str]:
        may_enrol = permissions.can_enrol(current_user(request), row)
        enrol = ["enrol"] if may_enrol else []
        return ["participants", *enrol, *super().buttons_of(request, row)]

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Enrol people"), url_path="enrol", icon="group_add"
    )
    def enrol(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page itself asks who may; it is of those who know how to make accounts."""
        return HttpResponseRedirect(reverse("admin:people_user_enrol", args=[object_id]))

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Participants"), url_path="participants", icon="group"
    )
    @tells_errors
    def participants(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A page of them; a POST takes all along as a table."""
        course = self._seen(request, object_id)
        which = SUBSCRIBERS if request.GET.get("list") == SUBSCRIBERS else LEARNERS
        table = Participants(course, current_user(request), which=which)
        form = SearchForm(request.GET)
        text = form.cleaned_data["q"] if form.is_valid() else ""
        if text:
            table.narrow(text)
        chosen = FormatForm(request.POST or None)
        if chosen.is_valid():
            with one_moment():
                answer = table.exported().response(chosen.cleaned_data["format"])
            self.log_change(request, course, [noted(EXPORTED[which])])
            return answer
        return self._page(request, course, table, form)

    def _page(
        self, request: HttpRequest, course: Course, table: Participants, form: SearchForm
    ) -> HttpResponse:
        order = request.GET.get("o", "")
        if order.removeprefix("-") not in table.orders:
            order = DEFAULT_ORDER
        people = cast(Any, table.people.in_order(order))
        page = Paginator(people, PEOPLE_ON_PAGE).get_page(request.GET.get("page"))
        context = {
            **self._context(request, course),
            "title": _("Participants"),
            "form": form,
            "format_form": FormatForm(),
            "table": table,
            "order": order,
            "page": page,
            "headers": [(column, _next_order(column, order)) for column in table.columns],
            "rows": [[column.value(row) for column in table.columns] for row in page],
            "lists": [
                (LEARNERS, _("Learners"), Learners(course).count()),
                (SUBSCRIBERS, _("Subscribers"), Followers(course).count()),
            ],
            "enrol_url": self.url("enrol", course.pk)
            if permissions.can_enrol(current_user(request), course)
            else None,
            "record_url": _record_url(request, course),
        }
        return TemplateResponse(request, "admin/lms/participants.html", context)


def _next_order(column: Column, order: str) -> str:
    """In which order a click on the head of a column puts the rows."""
    return f"-{column.order}" if order == column.order else column.order


def payments_admin() -> Any:
    """The book of payments, which knows who may record one and see what was earned."""
    return site.get_model_admin(apps.get_model("payments", "Payment"))


def _record_url(request: HttpRequest, course: Course) -> str | None:
    address = reverse("admin:payments_payment_add", query={"course": course.pk})
    return address if payments_admin().has_add_permission(request) else None

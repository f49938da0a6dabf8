"""The list and the page of a course, its lessons inline."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, cast, override

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from lms import permissions
from lms.admin.actions import CHANGE_OWNER, COPY
from lms.admin.edits import Edit, edits_of_course
from lms.admin.forms import MaterialsForm
from lms.admin.lessons import LessonRowAdmin
from lms.admin.markdown import markdown_view
from lms.admin.materials import person_label
from lms.admin.participants import SUBSCRIBERS, ParticipantsPage, payments_admin
from lms.admin.rows import CourseForm, LessonRows
from lms.history import changes_of_course
from lms.models import Access, Completion, Course, Lesson, Subscription
from lms.models.courses import CourseQuerySet
from lms.services import authoring
from people.current_user import current_user
from people.models import User
from people.models.querysets import NAME_SEARCHES, PUBLIC_SEARCHES
from project.common.admin.base import Fault, FieldNames, column, display
from project.common.admin.filters import (
    AmountsFilter,
    DaysFilter,
    choices_response,
    choose_from,
    found_by_term,
)
from project.common.admin.heads import Head, HeadFact, fact_about
from project.common.frontend import course_page
from project.common.money import shown
from project.common.versions import Expected


@admin.register(Course)
class CourseAdmin(ParticipantsPage):
    form = CourseForm
    # The script of the rows does it, for fields that come later too.
    warn_unsaved_form = False
    found_with = ("owner",)
    list_display = (
        "picture",
        "title",
        "published_label",
        "price_shown",
        "lessons_number",
        "subscribers_number",
        "learners_number",
        "updated_at",
    )
    list_display_links = ("title",)
    list_filter = (
        "is_published",
        ("owner", choose_from("admin:lms_course_authors", person_label)),
        ("price", AmountsFilter),
        ("updated_at", DaysFilter),
    )
    empty_text = gettext_lazy(
        "The school’s courses will appear here, with their lessons, prices and learners."
    )
    sortable_by = ("title", "price_shown", "updated_at")
    ordering = ("-updated_at", "-id")
    search_help_text = gettext_lazy("Words of the title, description or author's name")
    autocomplete_fields = ("owner",)
    staff_actions = (COPY, CHANGE_OWNER)
    said_of_published = ngettext_lazy(
        "%(number)d course was published.", "%(number)d courses were published.", "number"
    )
    said_of_unpublished = ngettext_lazy(
        "%(number)d course was unpublished.", "%(number)d courses were unpublished.", "number"
    )

    def state_of(self, row: Course) -> frozenset[str]:
        """Whose it is; a copy is made of whatever is there."""
        return frozenset({f"owner:{row.owner_id}"})

    @staticmethod
    def front_page(course: Course) -> str:
        return course_page(course.pk)

    can_update = staticmethod(permissions.can_update_course)
    can_delete = staticmethod(permissions.can_delete_course)
    changes = staticmethod(changes_of_course)

    lessons_number = column("lessons_count", gettext_lazy("lessons"), is_figure=True)
    subscribers_number = column("subscribers_count", gettext_lazy("subscribers"), is_figure=True)
    learners_number = column("learners_count", gettext_lazy("learners"), is_figure=True)

    def told_apart(self, request: HttpRequest, row: Course) -> list[str]:
        author = person_label(current_user(request), row.owner)
        return [author, str(self.published_label(row))]

    def with_shown(self, rows: QuerySet[Course], request: HttpRequest) -> QuerySet[Course]:
        courses = cast(CourseQuerySet, rows).with_lessons_count().with_people_counts()
        return courses.select_related("owner")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        viewer = current_user(request)

        @display(description=gettext_lazy("author"))
        def author(course: Course) -> str:
            return person_label(viewer, course.owner)

        columns = list(super().get_list_display(request))
        columns.insert(2, author)
        return columns

    def get_fields(self, request: HttpRequest, obj: Course | None = None) -> FieldNames:
        """The owner is chosen by an administrator who adds a course for somebody, and later by a button."""
        others = [name for name in super().get_fields(request, obj) if name != "owner"]
        chooses_owner = obj is None and current_user(request).is_superuser
        return ["owner", *others] if chooses_owner else others

    def head_of(self, request: HttpRequest, row: Course) -> Head:
        owner = person_label(current_user(request), row.owner)
        counted: Any = self.with_shown(Course.objects.filter(pk=row.pk), request).get()
        participants = self.url("participants", row.pk)
        learners, subscribers = counted.learners_count, counted.subscribers_count
        facts = [
            fact_about(request, _("author"), row.owner, text=owner),
            HeadFact(_("price"), shown(row.price, row.currency)),
            HeadFact(_("lessons"), str(counted.lessons_count)),
            HeadFact(_("learners"), str(learners), participants),
            HeadFact(_("subscribers"), str(subscribers), f"{participants}?list={SUBSCRIBERS}"),
            *payments_admin().earnings_of(request, row),
        ]
        return Head(row.title, [self.badge_of(row)], facts)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        return {
            "owner": str(current_user(request).pk),
            **super().get_changeform_initial_data(request),
        }

    def create(self, form: MaterialsForm, by: User) -> Course:
        fields = form.fields_of_new()
        return authoring.create_course(owner=fields.pop("owner", None) or by, fields=fields, by=by)

    def update(self, subject: Course, form: MaterialsForm, by: User) -> Course:
        return authoring.update_course(
            course=subject,
            changes=form.changes(),
            by=by,
            notify=form.notify,
            expected=form.expected,
        )

    @cached_property
    def row_admin(self) -> LessonRowAdmin:
        return LessonRowAdmin(Lesson, self.admin_site)

    def form_attributes(self, request: HttpRequest) -> dict[str, Any]:
        rows_of = staticmethod(partial(LessonRows, request, self.row_admin))
        return {**super().form_attributes(request), "rows_of": rows_of}

    @override
    def save_related(
        self, request: HttpRequest, form: CourseForm, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        form.rows.save()

    @override
    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, dict[str, list[str]]]]:
        return super().construct_change_message(request, form, [form.rows], add)

    @override
    def faults(self, form: Any) -> list[Fault]:
        return [*super().faults(form), *form.rows.faults()]

    def edits(self, form: CourseForm, by: User) -> list[Edit]:
        return edits_of_course(form, by)

    def change(self, subject: Course, changes: Mapping[str, object], by: User) -> None:
        authoring.update_course(course=subject, changes=changes, by=by)

    def typed_to_delete(self, rows: Sequence[Course]) -> str:
        """Of many their number."""
        return rows[0].title if len(rows) == 1 else str(len(rows))

    def delete(self, subject: Course, by: User, expected: Expected) -> None:
        authoring.delete_course(course=subject, by=by, expected=expected)

    def goes_along(self, subjects: Sequence[Course]) -> list[QuerySet[Model]]:
        return [
            Lesson.objects.filter(course__in=subjects),
            Subscription.objects.filter(course__in=subjects),
            Access.objects.filter(Q(course__in=subjects) | Q(lesson__course__in=subjects)),
            Completion.objects.filter(lesson__course__in=subjects),
        ]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        row = wrap(self.row_view)
        return [
            path("authors/", wrap(self.authors_view), name="lms_course_authors"),
            path("markdown/", wrap(markdown_view), name="lms_markdown"),
            path("rows/<str:key>/", row, name="lms_course_add_row"),
            path("<int:object_id>/rows/<str:key>/", row, name="lms_course_row"),
            *super().get_urls(),
        ]

    def row_view(
        self, request: HttpRequest, key: str, object_id: int | None = None
    ) -> HttpResponse:
        """The form of a lesson, or of one to be added, for the page of its course."""
        course = self._seen(request, str(object_id)) if object_id else None
        may = (
            self.has_change_permission(request, course)
            if course
            else self.has_add_permission(request)
        )
        if not may:
            raise PermissionDenied
        row = self.get_form(request, course)(instance=course).rows.row_to_open(key)
        if row is None:
            raise Http404
        return TemplateResponse(request, "admin/lms/row_form.html", {"row": row})

    def authors_view(self, request: HttpRequest) -> HttpResponse:
        """People with courses, for the filter; named as the viewer may know them."""
        viewer = current_user(request)
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        people = get_user_model().objects.filter(
            Exists(self.get_queryset(request).filter(owner=OuterRef("pk")))
        )
        sees_names = viewer.has_perm("people.view_user")
        searches = NAME_SEARCHES if sees_names else PUBLIC_SEARCHES
        authors = found_by_term(request, people, *searches)
        label = partial(person_label, viewer)
        return choices_response(request, authors.order_by("pk"), label)

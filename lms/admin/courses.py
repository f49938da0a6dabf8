"""The list and the page of a course, its lessons inline."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast, override

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy
from unfold.contrib.filters.admin import RangeNumericFilter

from lms import permissions
from lms.admin.actions import CHANGE_OWNER, COPY
from lms.admin.edits import Edit, edits_of_course
from lms.admin.forms import LessonFormSet, MaterialsForm, PricedForm
from lms.admin.markdown import markdown_view
from lms.admin.materials import can_delete_any, person_label
from lms.admin.participants import ParticipantsPage
from lms.history import changes_of_course
from lms.models import Access, Completion, Course, Lesson, Subscription
from lms.models.courses import CourseQuerySet
from lms.services import authoring, ordering
from people.current_user import current_user
from people.models import User
from people.models.querysets import NAME_SEARCHES, PUBLIC_SEARCHES
from project.common.admin.base import FieldNames, TabularInline, column, display
from project.common.admin.filters import DaysFilter, choices_response, choose_from, found_by_term
from project.common.frontend import course_page


class LessonInline(TabularInline[Lesson, Course]):
    """The lessons in their order; a whole lesson is edited on a page of its own."""

    model = Lesson
    extra = 0
    formset = LessonFormSet
    # The handle to drag a row by is drawn in the first column, so not in the hidden one.
    form = PricedForm
    fields = ("title", "video_url", "price", "is_preview", "is_published", "position")
    ordering_field = "position"
    hide_ordering_field = True
    show_change_link = True
    verbose_name_plural = gettext_lazy("lessons")

    def has_add_permission(self, request: HttpRequest, obj: Course | None = None) -> bool:
        user = current_user(request)
        may = permissions.can_add_lesson(user, obj) if obj else can_delete_any(request)
        return may and super().has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Course | None = None) -> bool:
        user = current_user(request)
        may = permissions.can_delete_course(user, obj) if obj else can_delete_any(request)
        return may and super().has_delete_permission(request, obj)


@admin.register(Course)
class CourseAdmin(ParticipantsPage):
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
        ("price", RangeNumericFilter),
        ("updated_at", DaysFilter),
    )
    sortable_by = ("title", "price_shown", "updated_at")
    ordering = ("-updated_at", "-id")
    search_help_text = gettext_lazy("Words of the title, description or author's name")
    autocomplete_fields = ("owner",)
    inlines = (LessonInline,)
    staff_actions = (COPY, CHANGE_OWNER)
    said_of_published = ngettext_lazy(
        "%(number)d course was published.", "%(number)d courses were published.", "number"
    )
    said_of_unpublished = ngettext_lazy(
        "%(number)d course was unpublished.", "%(number)d courses were unpublished.", "number"
    )

    @staticmethod
    def front_page(course: Course) -> str:
        return course_page(course.pk)

    can_update = staticmethod(permissions.can_update_course)
    can_delete = staticmethod(permissions.can_delete_course)
    changes = staticmethod(changes_of_course)

    lessons_number = column("lessons_count", gettext_lazy("lessons"))
    subscribers_number = column("subscribers_count", gettext_lazy("subscribers"))
    learners_number = column("learners_count", gettext_lazy("learners"))

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
        """The owner is chosen once, by an administrator who adds a course for somebody."""
        others = [name for name in super().get_fields(request, obj) if name != "owner"]
        if obj is not None:
            return ["author", *others]
        return ["owner", *others] if current_user(request).is_superuser else others

    def get_readonly_fields(self, request: HttpRequest, obj: Course | None = None) -> list[str]:
        return ["author"] if obj is not None else []

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Course | None:
        """Remember how the author is called before the person who looks at the page."""
        course = super().get_object(request, object_id, from_field)
        if course is not None:
            vars(course)["author_label"] = person_label(current_user(request), course.owner)
        return course

    @display(description=gettext_lazy("author"))
    def author(self, course: Course) -> str:
        return str(vars(course).get("author_label", ""))

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

    @override
    def save_formset(
        self, request: HttpRequest, form: MaterialsForm, formset: LessonFormSet, change: bool
    ) -> None:
        """Save the lessons by their services; Django logs what the formset says of them."""
        by, notify = current_user(request), form.notify
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        if gone := len(formset.gone):
            message = ngettext(
                "%(number)d lesson had been deleted in the meantime; the rest was saved.",
                "%(number)d lessons had been deleted in the meantime; the rest was saved.",
                gone,
            )
            self.message_user(request, message % {"number": gone}, messages.WARNING)
        for row in formset.deleted_forms:
            authoring.delete_lesson(lesson=row.instance, by=by, notify=notify)
            formset.deleted_objects.append(row.instance)
        for row in formset.initial_forms:
            if row.has_changed() and row not in formset.deleted_forms:
                changes = {name: row.cleaned_data[name] for name in row.changed_data}
                changes.pop(LessonInline.ordering_field, None)
                lesson = authoring.update_lesson(
                    lesson=row.instance, changes=changes, by=by, notify=notify
                )
                formset.changed_objects.append((lesson, row.changed_data))
        for row in formset.extra_forms:
            if row.has_changed() and row not in formset.deleted_forms:
                # A new lesson comes last; it is moved from there.
                names = {*LessonInline.fields} - {LessonInline.ordering_field}
                fields = {name: row.cleaned_data[name] for name in names}
                lesson = authoring.create_lesson(
                    course=form.instance, fields=fields, by=by, notify=notify
                )
                formset.new_objects.append(lesson)
        if formset.is_dragged:
            ordering.order_lessons(course=form.instance, lesson_ids=formset.order(), by=by)

    def edits(self, form: MaterialsForm, formsets: Sequence[LessonFormSet], by: User) -> list[Edit]:
        return edits_of_course(form, formsets[0], by)

    def change(self, subject: Course, changes: Mapping[str, object], by: User) -> None:
        authoring.update_course(course=subject, changes=changes, by=by)

    def delete(self, subject: Course, by: User) -> None:
        authoring.delete_course(course=subject, by=by)

    def goes_along(self, subjects: Sequence[Course]) -> list[QuerySet[Model]]:
        return [
            Lesson.objects.filter(course__in=subjects),
            Subscription.objects.filter(course__in=subjects),
            Access.objects.filter(Q(course__in=subjects) | Q(lesson__course__in=subjects)),
            Completion.objects.filter(lesson__course__in=subjects),
        ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.authors_view)
        return [
            path("authors/", view, name="lms_course_authors"),
            path("markdown/", self.admin_site.admin_view(markdown_view), name="lms_markdown"),
            *super().get_urls(),
        ]

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

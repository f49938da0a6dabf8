"""The list and the page of a lesson."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.contrib import admin
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from lms import permissions
from lms.admin.edits import Edit, edits_of_lesson
from lms.admin.forms import LessonForm, MaterialsForm
from lms.admin.materials import MaterialsAdmin
from lms.history import changes_of_lesson
from lms.models import Access, Completion, Course, Lesson
from lms.models.courses import LessonQuerySet
from lms.services import authoring
from people.current_user import current_user
from people.models import User
from project.common.admin.base import FieldNames, Fieldsets, column, display
from project.common.admin.filters import AmountsFilter, DaysFilter
from project.common.admin.heads import Badge, Head, HeadFact, fact_about
from project.common.frontend import lesson_page
from project.common.versions import Expected


@admin.register(Lesson)
class LessonAdmin(MaterialsAdmin[Lesson]):
    form = LessonForm
    found_with = ("course",)
    list_display = (
        "picture",
        "title",
        "course",
        "number",
        "published_label",
        "price_shown",
        "has_video",
        "is_open",
        "updated_at",
    )
    list_display_links = ("title",)
    list_filter = (
        ("course", AutocompleteSelectFilter),
        "is_published",
        "is_preview",
        ("price", AmountsFilter),
        ("updated_at", DaysFilter),
    )
    empty_text = gettext_lazy(
        "The lessons of all courses will appear here; a course’s own page adds them, too."
    )
    sortable_by = ("title", "price_shown", "updated_at")
    ordering = ("-updated_at", "-id")
    autocomplete_fields = ("course",)
    LOCKED_IN_ORDER = ("course_id", "pk")
    said_of_published = ngettext_lazy(
        "%(number)d lesson was published.", "%(number)d lessons were published.", "number"
    )
    said_of_unpublished = ngettext_lazy(
        "%(number)d lesson was unpublished.", "%(number)d lessons were unpublished.", "number"
    )

    @staticmethod
    def front_page(lesson: Lesson) -> str:
        return lesson_page(lesson.course_id, lesson.pk)

    can_update = staticmethod(permissions.can_update_lesson)
    can_delete = staticmethod(permissions.can_delete_lesson)
    changes = staticmethod(changes_of_lesson)

    number = column("number", gettext_lazy("number"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lesson]:
        return super().get_queryset(request).select_related("course")

    def told_apart(self, request: HttpRequest, row: Lesson) -> list[str]:
        return [row.course.title, str(self.published_label(row))]

    def with_shown(self, rows: QuerySet[Lesson], request: HttpRequest) -> QuerySet[Lesson]:
        return cast(LessonQuerySet, rows).with_number()

    # Unfold shows what is false as an error.
    @display(description=gettext_lazy("video"))
    def has_video(self, lesson: Lesson) -> str:
        return _("yes") if lesson.video_url else "—"

    @display(description=gettext_lazy("open to everybody"))
    def is_open(self, lesson: Lesson) -> str:
        return _("yes") if lesson.is_preview else "—"

    def head_of(self, request: HttpRequest, row: Lesson) -> Head:
        numbered: Any = Lesson.objects.with_number().get(pk=row.pk)
        known = {"number": numbered.number, "all": row.course.lessons.count()}
        place = _("%(number)d of %(all)d") % known
        facts = [
            fact_about(request, _("course"), row.course),
            HeadFact(_("place"), place),
            HeadFact(_("price"), self.price_shown(row) or _("not sold on its own")),
            HeadFact(_("video"), _("yes") if row.video_url else _("no")),
        ]
        badges = [self.badge_of(row)]
        if row.is_preview:
            badges.append(Badge(_("open to everybody"), "info"))
        return Head(row.title, badges, facts, [_who_may_learn(row)])

    def get_fields(self, request: HttpRequest, obj: Lesson | None = None) -> FieldNames:
        """Lessons are put in order on the page of their course."""
        return [name for name in super().get_fields(request, obj) if name != "position"]

    def get_readonly_fields(self, request: HttpRequest, obj: Lesson | None = None) -> list[str]:
        """Whoever may not add lessons to the course may not take them out of it either."""
        moves = obj is None or permissions.can_add_lesson(current_user(request), obj.course)
        return [] if moves else ["course"]

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Model, Model]", request: HttpRequest, **kwargs: object
    ) -> "ModelChoiceField[Model] | None":
        if db_field.name == "course":
            kwargs["queryset"] = Course.objects.visible_to(current_user(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def form_attributes(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().form_attributes(request), "user": current_user(request)}

    def create(self, form: MaterialsForm, by: User) -> Lesson:
        fields = form.fields_of_new()
        course = fields.pop("course")
        return authoring.create_lesson(course=course, fields=fields, by=by, notify=form.notify)

    def update(self, subject: Lesson, form: MaterialsForm, by: User) -> Lesson:
        return authoring.update_lesson(
            lesson=subject,
            changes=form.changes(),
            by=by,
            notify=form.notify,
            expected=form.expected,
        )

    def edits(self, form: MaterialsForm, by: User) -> list[Edit]:
        return edits_of_lesson(form, by)

    def change(self, subject: Lesson, changes: Mapping[str, object], by: User) -> None:
        authoring.update_lesson(lesson=subject, changes=changes, by=by)

    def delete(self, subject: Lesson, by: User, expected: Expected) -> None:
        authoring.delete_lesson(lesson=subject, by=by, expected=expected)

    def goes_along(self, subjects: Sequence[Lesson]) -> list[QuerySet[Model]]:
        of_lessons = {"lesson__in": subjects}
        return [Access.objects.filter(**of_lessons), Completion.objects.filter(**of_lessons)]


def _who_may_learn(lesson: Lesson) -> str:
    """`open_to` in a sentence."""
    if not lesson.is_published:
        return _("Only its author, moderators and those who bought it on its own can learn it.")
    if not lesson.course.is_published:
        return _("Its course is a draft: only those who have access already can learn it.")
    if lesson.is_preview:
        return _("Whoever sees the course may take this lesson without having bought anything.")
    return _("Those who have access to the course or to this lesson can learn it.")


class LessonRowAdmin(LessonAdmin):
    """The form of a lesson on the page of its course, which says the rest."""

    def get_fields(self, request: HttpRequest, obj: Lesson | None = None) -> FieldNames:
        return [name for name in super().get_fields(request, obj) if name != "course"]

    def get_fieldsets(self, request: HttpRequest, obj: Lesson | None = None) -> Fieldsets:
        """Without names: the lesson is one of many."""
        return [(None, options) for _name, options in super().get_fieldsets(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Lesson | None = None) -> list[str]:
        return []

    def form_attributes(self, request: HttpRequest) -> dict[str, Any]:
        """The page says above its rows what a rule said of the save."""
        return {**super().form_attributes(request), "refusal": None}

    def create(self, form: MaterialsForm, by: User) -> Lesson:
        course, fields = form.instance.course, form.fields_of_new()
        return authoring.create_lesson(course=course, fields=fields, by=by, notify=form.notify)

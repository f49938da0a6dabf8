"""The lessons on the page of their course: light rows, each of which is opened to its whole form.

The page sends the rows that were opened and the order of all, so it stays small with hundreds of lessons:
`lesson-7-title` is the title of lesson 7, `new-1-title` that of a lesson that is added.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast, override

from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms.formsets import DELETION_FIELD_NAME as DELETE
from django.http import HttpRequest
from django.utils.translation import gettext as _

from lms import permissions
from lms.admin.forms import LessonForm, MaterialsForm
from lms.models import Course, Lesson
from lms.services import authoring, ordering
from people.current_user import current_user
from project.common.admin.base import Fault, faults_of
from project.common.admin.versions import entered
from project.common.money import price_shown

if TYPE_CHECKING:
    from lms.admin.lessons import LessonRowAdmin

# The keys of all rows, as they stand on the page.
ORDER = "lesson_order"
OLD, NEW = (rf"{kind}-[0-9]{{1,18}}" for kind in ("lesson", "new"))
SENT = re.compile(rf"({OLD}|{NEW})-(.+)")
# What a row shows before somebody opens it.
SHOWN = ("title", "video_url", "price", "is_preview", "is_published")


@dataclass
class Row:
    """A lesson on the page of its course. `opened` is its form, if it is open."""

    key: str
    lesson: Lesson
    opened: AdminForm | None = None
    is_deleted: bool = False
    # Why it can't be deleted.
    error: str = ""

    @property
    def form(self) -> LessonForm:
        assert self.opened is not None  # noqa: S101
        return cast(LessonForm, self.opened.form)

    @property
    def is_changed(self) -> bool:
        """A new one counts as it is: the page sends it only if somebody wrote in it."""
        is_open = self.opened and not self.is_deleted
        return bool(is_open and (self.lesson.pk is None or self.form.has_changed()))

    @property
    def price(self) -> str:
        price = self.lesson.price
        return "" if price is None else price_shown(price, self.lesson.currency)

    @property
    def name(self) -> str:
        return self.lesson.title or _("New lesson")

    def faults(self) -> Iterator[Fault]:
        if self.error:
            yield Fault(self.name, f"id_{self.key}-{DELETE}", self.error)
        if self.is_changed:
            for fault in faults_of(self.form):
                yield fault._replace(label=" · ".join(filter(None, [self.name, fault.label])))


class LessonRows:
    """The rows of a course's form, for who looks at its page."""

    def __init__(self, request: HttpRequest, admin: "LessonRowAdmin", form: "CourseForm") -> None:
        self.request, self.admin, self.course_form = request, admin, form
        self.course: Course = form.instance
        self.by = current_user(request)
        # What Django's log asks the formsets of a page.
        self.new_objects: list[Model] = []
        self.changed_objects: list[tuple[Model, list[str]]] = []
        self.deleted_objects: list[Model] = []

    # --- Who may do what ------------------------------------------------------------------------

    @cached_property
    def may_see(self) -> bool:
        return self.admin.has_view_or_change_permission(self.request)

    @cached_property
    def may_change(self) -> bool:
        return self.admin.has_change_permission(self.request)

    @cached_property
    def may_add(self) -> bool:
        may = self.admin.has_add_permission(self.request)
        return may and (not self.course.pk or permissions.can_add_lesson(self.by, self.course))

    @cached_property
    def may_delete(self) -> bool:
        may = self.admin.has_delete_permission(self.request)
        return may and permissions.can_delete_course(self.by, self.course)

    # --- What was sent --------------------------------------------------------------------------

    @cached_property
    def order(self) -> list[str]:
        return str(self.course_form.data.get(ORDER, "")).split(",")

    @cached_property
    def _fields(self) -> dict[str, set[str]]:
        """What was sent of which rows."""
        fields: dict[str, set[str]] = defaultdict(set)
        for name in (*self.course_form.data, *self.course_form.files):
            if found := SENT.fullmatch(name):
                fields[found[1]].add(found[2])
        return fields

    @cached_property
    def _there(self) -> dict[str, Lesson]:
        """The lessons of which something was sent, without those that are gone from the course."""
        keys = [pk for key in self._fields if (pk := _pk(key))]
        return {_key(lesson): lesson for lesson in self.lessons.filter(pk__in=keys)}

    @cached_property
    def sent(self) -> dict[str, Row]:
        rows = {}
        for key, fields in self._fields.items():
            is_new = _pk(key) is None
            if key in self._there or (is_new and self.may_add):
                row = Row(key, self._there.get(key) or Lesson(course=self.course))
                row.is_deleted = not is_new and self.may_delete and DELETE in fields
                if fields - {DELETE} and (is_new or self.may_change):
                    row.opened = self._open(key, row.lesson)
                rows[key] = row
        return rows

    @cached_property
    def gone(self) -> list[LessonForm]:
        """What was entered for lessons that are not in the course any more."""
        keys = [key for key, fields in self._fields.items() if _pk(key) and fields - {DELETE}]
        return [self._open_gone(key) for key in keys if key not in self._there]

    @property
    def lost(self) -> Iterator[ValidationError]:
        message = _(
            "“%(lesson)s” is no longer in this course, so nothing was saved. You had entered: "
            "%(entered)s. Saving again leaves it out."
        )
        for form in self.gone:
            if text := "; ".join(map(": ".join, entered(form))):
                yield ValidationError(
                    message, params={"lesson": form.initial["title"], "entered": text}
                )

    # --- What is shown --------------------------------------------------------------------------

    @property
    def lessons(self) -> QuerySet[Lesson]:
        return Lesson.objects.filter(course=self.course.pk)

    @cached_property
    def shown(self) -> list[Row]:
        """All rows, in the order that was sent, if one was."""
        lessons = self.lessons.only(*SHOWN).order_by("position", "pk")
        rows = {_key(lesson): Row(_key(lesson), lesson) for lesson in lessons} | self.sent
        return [rows[key] for key in dict.fromkeys((*self.order, *rows)) if key in rows]

    @property
    def new(self) -> Row:
        """How a row begins that is added."""
        return Row("new-0", Lesson())

    def row_to_open(self, key: str) -> Row | None:
        """The row of this key, open; None if there is none for this person."""
        pk = _pk(key)
        lesson = self.lessons.filter(pk=pk).first() if pk else Lesson()
        may = self.may_change if pk else self.may_add and re.fullmatch(NEW, key)
        return Row(key, lesson, self._open(key, lesson)) if lesson and may else None

    def _open(self, key: str, lesson: Lesson) -> AdminForm:
        form_class = self.admin.get_form(self.request, change=bool(lesson.pk))
        sent = self.course_form
        given = (sent.data, sent.files) if sent.is_bound else ()
        form = form_class(*given, instance=lesson, prefix=key)
        fieldsets = cast("Any", self.admin.get_fieldsets(self.request))
        return AdminForm(form, fieldsets, {}, (), model_admin=self.admin)

    def _open_gone(self, key: str) -> LessonForm:
        # Of this course: who may see it may know what its lessons were called, and no others.
        last = Lesson.history.filter(id=_pk(key), course=self.course.pk).first()
        return cast(LessonForm, self._open(key, last.instance if last else Lesson()).form)

    # --- What is saved --------------------------------------------------------------------------

    def is_valid(self) -> bool:
        for row in self.sent.values():
            if row.is_deleted and authoring.is_kept(row.lesson):
                row.error, row.is_deleted = str(authoring.HasPayments(row.lesson)), False
        return not any(self.faults())

    def faults(self) -> Iterator[Fault]:
        for row in self.sent.values():
            yield from row.faults()

    def save(self) -> None:
        """By the services, in the transaction of the course's form. Raises DomainError."""
        for row in self.sent.values():
            if row.is_deleted:
                notify = self.course_form.notify
                authoring.delete_lesson(lesson=row.lesson, by=self.by, notify=notify)
                self.deleted_objects.append(row.lesson)
            elif row.is_changed:
                is_new = row.lesson.pk is None
                self.admin.save_model(self.request, row.lesson, row.form, change=not is_new)
                if is_new:
                    self.new_objects.append(row.lesson)
                else:
                    self.changed_objects.append((row.lesson, row.form.changed_data))
        if self.may_change:
            self._put_in_order()

    def _put_in_order(self) -> None:
        """As on the page; lessons that it did not show come last."""
        there = list(self.lessons.order_by("position", "pk").values_list("pk", flat=True))
        new = {key: row.lesson.pk for key, row in self.sent.items()}
        placed = dict.fromkeys(_pk(key) or new.get(key) for key in self.order)
        wanted = list(dict.fromkeys([*(pk for pk in placed if pk in {*there}), *there]))
        if wanted != there:
            ordering.order_lessons(course=self.course, lesson_ids=wanted, by=self.by)

    @property
    def forms(self) -> list[LessonForm]:
        """By these Django's log names the fields that were changed."""
        return [row.form for row in self.sent.values() if row.opened]


class CourseForm(MaterialsForm):
    """The form of a course with the rows of its lessons."""

    # Set by CourseAdmin.
    rows_of: Callable[["CourseForm"], LessonRows]

    @cached_property
    def rows(self) -> LessonRows:
        return self.rows_of(self)

    @property
    @override
    def gone(self) -> Sequence[LessonForm]:
        return self.rows.gone

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for lost in self.rows.lost:
            self.add_error(None, lost)
        if "lessons-TOTAL_FORMS" in self.data:
            text = _(
                "The site was updated after you opened this page, so nothing was saved. What you "
                "entered for the lessons has to be entered again."
            )
            self.add_error(None, text)
        return cleaned

    def is_valid(self) -> bool:
        return all([super().is_valid(), self.rows.is_valid()])


def _key(lesson: Lesson) -> str:
    return f"lesson-{lesson.pk}"


def _pk(key: str) -> int | None:
    """None: of a new lesson, or of nothing."""
    return int(key.removeprefix("lesson-")) if re.fullmatch(OLD, key) else None

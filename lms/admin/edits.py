"""What the form of a course or a lesson would change of what subscribers are told, before it is saved.

The forms have been checked: their instances are as they would be saved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.forms import ModelForm
from django.utils import timezone

from lms.admin.forms import MaterialsForm
from lms.admin.rows import CourseForm
from lms.models import Course, CourseChange, Lesson
from lms.services.authoring import COURSE_TOLD, as_told, told_of, told_of_lesson
from lms.services.updates import Told, changes_of
from people.models import User


@dataclass
class Edit:
    """Changes of one course, and its lessons as they would be after them; None: not there any more. A new
    lesson has a key that no lesson has."""

    course: Course
    by: User
    was_draft: bool = False
    changes: list[CourseChange] = field(default_factory=list)
    lessons: dict[int, Lesson | None] = field(default_factory=dict)

    def add(self, told: Told, lesson: Lesson | None = None) -> None:
        self.changes += changes_of(
            self.course, told, lesson, by=self.by, at=timezone.now(), was_draft=self.was_draft
        )

    def add_lesson(
        self,
        lesson: Lesson,
        changed: Mapping[str, Any],
        *,
        came: bool = False,
        left: bool = False,
    ) -> None:
        """What was changed of a lesson, which may come into the course or leave it."""
        told = told_of_lesson(lesson, changed, came=came, left=left)
        self.add(told, as_told(lesson, told, changed))
        if lesson.pk > 0:
            self.lessons[lesson.pk] = None if left else lesson


def edits_of_course(form: CourseForm, by: User) -> list[Edit]:
    """None of a new course, which nobody follows."""
    if not form.instance.pk:
        return []
    edit = Edit(form.instance, by, was_draft="is_published" in form.changed_data)
    edit.add(told_of(COURSE_TOLD, _before(form)))
    for number, row in enumerate(form.rows.sent.values(), start=1):
        if row.is_deleted:
            edit.add_lesson(row.lesson, {}, left=True)
        elif row.is_changed:
            is_new = row.lesson.pk is None
            row.lesson.pk = -number if is_new else row.lesson.pk
            edit.add_lesson(row.lesson, _before(row.form), came=is_new)
    return [edit]


def edits_of_lesson(form: MaterialsForm, by: User) -> list[Edit]:
    """Of both courses, if the lesson moves."""
    lesson: Lesson = form.instance
    if not lesson.course_id:
        return []  # none is chosen yet
    # Who may not move it is shown no choice.
    left = form.initial.get("course", lesson.course_id) if lesson.pk else None
    is_moved = lesson.course_id != left
    lesson.pk = lesson.pk or -1
    here = Edit(lesson.course, by)
    here.add_lesson(lesson, _before(form), came=is_moved)
    if left is None or not is_moved:
        return [here]
    there = Edit(Course.objects.get(pk=left), by)
    there.add_lesson(lesson, _before(form), left=True)
    return [there, here]


def _before(form: "ModelForm[Any]") -> Mapping[str, Any]:
    """What was changed, as it was."""
    return {name: form.initial.get(name) for name in form.changed_data}

"""What the form of a course or a lesson would change of what subscribers are told, before it is saved.

The forms have been checked: their instances are as they would be saved.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.forms import ModelForm
from django.forms.formsets import DELETION_FIELD_NAME
from django.utils import timezone

from lms.admin.forms import LessonFormSet, MaterialsForm
from lms.models import ChangeKind, Course, CourseChange, Lesson
from lms.services.authoring import COURSE_TOLD, LESSON_TOLD, told_of
from lms.services.updates import Told, changes_of
from people.models import User


@dataclass
class Edit:
    """Changes of one course, and its lessons as they would be after them. A new lesson has a key that no
    lesson has."""

    course: Course
    by: User
    was_draft: bool = False
    changes: list[CourseChange] = field(default_factory=list)
    lessons: dict[int, Lesson] = field(default_factory=dict)

    def add(self, told: Told, lesson: Lesson | None = None) -> None:
        self.changes += changes_of(
            self.course, told, lesson, by=self.by, at=timezone.now(), was_draft=self.was_draft
        )
        if lesson and lesson.pk > 0 and ChangeKind.LESSON_REMOVED not in told:
            self.lessons[lesson.pk] = lesson


def edits_of_course(form: MaterialsForm, formset: LessonFormSet, by: User) -> list[Edit]:
    """None of a new course, which nobody follows."""
    if not form.instance.pk:
        return []
    edit = Edit(form.instance, by, was_draft="is_published" in form.changed_data)
    edit.add(told_of(COURSE_TOLD, _before(form)))
    for row in formset.initial_forms:
        if row.cleaned_data.get(DELETION_FIELD_NAME):
            edit.add({ChangeKind.LESSON_REMOVED: None}, row.instance)
        elif row.has_changed():
            edit.add(told_of(LESSON_TOLD, _before(row)), row.instance)
    added = [
        row
        for row in formset.extra_forms
        if row.has_changed() and not row.cleaned_data.get(DELETION_FIELD_NAME)
    ]
    for number, row in enumerate(added, start=1):
        row.instance.pk = -number
        edit.add({ChangeKind.LESSON_ADDED: None}, row.instance)
    return [edit]


def edits_of_lesson(form: MaterialsForm, by: User) -> list[Edit]:
    """Of both courses, if the lesson moves."""
    lesson: Lesson = form.instance
    if not lesson.course_id:
        return []  # none is chosen yet
    here = Edit(lesson.course, by)
    # Who may not move it is shown no choice.
    left = form.initial.get("course", lesson.course_id) if lesson.pk else None
    if lesson.pk and left == lesson.course_id:
        here.add(told_of(LESSON_TOLD, _before(form)), lesson)
        return [here]
    lesson.pk = lesson.pk or -1
    here.add({ChangeKind.LESSON_ADDED: None}, lesson)
    if left is None:
        return [here]
    there = Edit(Course.objects.get(pk=left), by)
    named = copy(lesson)
    named.title = form.initial["title"]
    there.add({ChangeKind.LESSON_REMOVED: None}, named)
    return [there, here]


def _before(form: "ModelForm[Any]") -> Mapping[str, Any]:
    """What was changed, as it was."""
    return {name: form.initial.get(name) for name in form.changed_data}

"""A course made of another one (docs/rules.md, 6.13)."""

from contextlib import suppress
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lms.models import Course, Lesson
from people.models import User
from people.throttles import limit_creation, limit_texts
from project.common.db.bulk import insert_rows, reserve_ids
from project.common.images import CopiedPictures

# What a copy has of its own; all else goes along, with what is made of it.
OWN_OF_COURSE = frozenset(
    {"id", "owner_id", "is_published", "created_at", "updated_at", "materials_updated_at"}
)


class _OtherPictures(Exception):
    """There are other pictures than those that were copied before the course was locked."""


def copy_course(*, course: Course, by: User) -> Course:
    """Make a draft of a course with all its materials, which belongs to who copies it. It counts for
    them as if they had written it. Raises Throttled, DoesNotExist.

    Not in a transaction of its own: storing pictures may be slow.
    """
    _count(course, by)
    with CopiedPictures() as pictures:
        while True:
            for row in (Course.objects.get(pk=course.pk), *course.lessons.only("preview")):
                pictures.add(row.preview)
            with suppress(_OtherPictures):
                return _copy(course, pictures, by)


def _count(course: Course, by: User) -> None:
    lessons = course.lessons.all()
    pictures = lessons.exclude(preview="").count() + bool(course.preview)
    limit_creation(by, "COURSES")
    limit_creation(by, "LESSONS", amount=lessons.count())
    limit_creation(by, "PICTURES", amount=pictures)


@transaction.atomic
def _copy(course: Course, pictures: CopiedPictures, by: User) -> Course:
    # Whoever renames them at the same moment finds the copy, or is waited for.
    by = User.objects.select_for_update(no_key=True).get(pk=by.pk)
    course = Course.objects.protected_from_deletion().get(pk=course.pk)
    in_order = course.lessons.order_by("position", "pk")
    lessons: list[dict[str, Any]] = [{**lesson} for lesson in in_order.values()]
    if not pictures.have([str(course.preview), *(lesson["preview"] for lesson in lessons)]):
        raise _OtherPictures
    fields = {field.attname for field in Course._meta.concrete_fields} - OWN_OF_COURSE
    copy = Course(**{name: getattr(course, name) for name in fields}, owner=by)
    copy.title, copy.changed_by = _title_of_copy(course.title), by
    copy.preview = pictures.take(str(course.preview))
    copy.save()
    _copy_lessons(lessons, copy, pictures, by)
    return copy


def _copy_lessons(
    lessons: list[dict[str, Any]], course: Course, pictures: CopiedPictures, by: User
) -> None:
    """Many rows at once, which are not rendered again."""
    now = timezone.now()
    own = {"course_id": course.pk, "created_at": now, "updated_at": now}
    ids = reserve_ids(Lesson, len(lessons))
    copies = [
        lesson | own | {"id": pk, "preview": pictures.take(lesson["preview"])}
        for lesson, pk in zip(lessons, ids, strict=True)
    ]
    limit_texts(by, [(copy["title"], copy["description"]) for copy in copies])
    names = [field.attname for field in Lesson._meta.concrete_fields]
    insert_rows(Lesson, names, ([copy[name] for name in names] for copy in copies))
    Lesson.history.bulk_history_create([Lesson(**copy) for copy in copies], default_user=by)


def _title_of_copy(title: str) -> str:
    """Cut at a word: what is left of one could look like an address."""
    copied = _("%(title)s (copy)")
    room = (Course._meta.get_field("title").max_length or 0) - len(copied % {"title": ""})
    if len(title) > room:
        title = title[:room].rpartition(" ")[0] or title[:room]
    return copied % {"title": title}

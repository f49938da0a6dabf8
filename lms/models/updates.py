"""What changed in a course, and which mail told its subscribers."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models.courses import Course, Lesson
from people.models import User
from project.common.money import DECIMAL_PLACES, MAX_DIGITS


class ChangeKind(models.TextChoices):
    COURSE_RENAMED = "course_renamed", _("course renamed")
    COURSE_TEXT = "course_text", _("course description changed")
    COURSE_PRICE = "course_price", _("price of the course changed")
    LESSON_ADDED = "lesson_added", _("lesson added")
    LESSON_RENAMED = "lesson_renamed", _("lesson renamed")
    LESSON_TEXT = "lesson_text", _("lesson description changed")
    VIDEO_REPLACED = "video_replaced", _("video replaced")
    LESSON_PRICE = "lesson_price", _("price of a lesson changed")
    LESSON_REMOVED = "lesson_removed", _("lesson removed")


# Named in a mail that goes out for something else.
PRICES = frozenset({ChangeKind.COURSE_PRICE, ChangeKind.LESSON_PRICE})
# Of a lesson, to whom it is shown: it was created, published or moved here, or the opposite.
COMING_AND_GOING = frozenset({ChangeKind.LESSON_ADDED, ChangeKind.LESSON_REMOVED})
# Where a change keeps what was there before it.
OLD_VALUES = {
    ChangeKind.COURSE_RENAMED: "old_title",
    ChangeKind.LESSON_RENAMED: "old_title",
    ChangeKind.COURSE_PRICE: "old_price",
    ChangeKind.LESSON_PRICE: "old_price",
}


class CourseUpdate(models.Model):
    """One mail to the subscribers of a course; its changes are what it tells."""

    course = models.ForeignKey(
        Course,
        models.CASCADE,
        db_index=False,  # course_update_latest begins with it
        related_name="updates",
        verbose_name=_("course"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("course update")
        verbose_name_plural = _("course updates")
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["course", "-created_at"], name="course_update_latest")]

    def __str__(self) -> str:
        return f"{self.course}, {self.created_at:%Y-%m-%d %H:%M}"


class CourseChangeQuerySet(models.QuerySet["CourseChange"]):
    def collected(self) -> Self:
        """Changes that wait for a mail."""
        return self.filter(update=None)

    def of_materials(self) -> Self:
        """Changes that a mail is sent for."""
        return self.exclude(kind__in=PRICES)


class CourseChange(models.Model):
    """One change of the materials of a published course, written in the transaction of the change.

    `lesson_id` is no foreign key, and the title is a copy: a removed lesson is still told of.
    """

    course = models.ForeignKey(
        Course,
        models.CASCADE,
        db_index=False,  # course_change_in_order begins with it
        related_name="changes",
        verbose_name=_("course"),
    )
    kind = models.CharField(_("what"), max_length=20, choices=ChangeKind)
    lesson_id = models.BigIntegerField(_("lesson"), null=True, blank=True)
    lesson_title = models.CharField(_("lesson title"), max_length=200, blank=True)
    # Empty if subscribers could not see it: the course was a draft.
    old_title = models.CharField(
        _("old title"), max_length=200, blank=True, default="", db_default=""
    )
    # Of a lesson null means that it was not sold on its own.
    old_price = models.DecimalField(
        _("old price"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, null=True, blank=True
    )
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    changed_at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    update = models.ForeignKey(
        CourseUpdate,
        models.CASCADE,
        db_index=False,  # course_change_told begins with it
        null=True,
        blank=True,
        related_name="changes",
        verbose_name=_("sent with"),
        help_text=_("Empty while the change waits for the course to be quiet again."),
    )

    objects = CourseChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("course change")
        verbose_name_plural = _("course changes")
        ordering = ("changed_at", "id")
        indexes = [
            models.Index(fields=["course", "id"], name="course_change_in_order"),
            models.Index(fields=["update", "id"], name="course_change_told"),
            models.Index(
                fields=["course"], name="course_change_collected", condition=Q(update=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.lesson_title or self.course}"

    @classmethod
    def of(
        cls,
        course: Course,
        kind: ChangeKind,
        before: object,
        lesson: Lesson | None,
        *,
        by: User,
        at: datetime,
    ) -> Self:
        """A change of a course or of its `lesson`; `before` is what was there, None if it is not to be
        told."""
        change = cls(course=course, kind=kind, changed_by=by, changed_at=at)
        if lesson:
            change.lesson_id, change.lesson_title = lesson.pk, lesson.title
        if kind in OLD_VALUES and before is not None:
            setattr(change, OLD_VALUES[kind], before)
        return change


class PendingUpdate(Course):
    """A course as a row of the page of what waits to be mailed."""

    class Meta:
        proxy = True
        verbose_name = _("pending update")
        verbose_name_plural = _("pending updates")
        ordering = ("-materials_updated_at", "-id")
        default_permissions = ()


def courses_to_tell(*, at: datetime) -> models.QuerySet[Course]:
    """Published courses with collected changes that have been quiet for more than the period."""
    collected = CourseChange.objects.collected().of_materials().filter(course=OuterRef("pk"))
    return Course.objects.filter(
        Exists(collected),
        is_published=True,
        materials_updated_at__lt=at - settings.COURSE_UPDATE_QUIET_PERIOD,
    ).order_by("pk")

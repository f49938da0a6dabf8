"""Who may learn what, by which right, and how far they have come."""

from typing import TYPE_CHECKING, NamedTuple, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.models import User
from people.models.querysets import NAME_SEARCHES
from project.common.db.search import Owners, contains, find

if TYPE_CHECKING:
    from lms.models.courses import Course, Lesson


class AccessSource(models.TextChoices):
    PAYMENT = "payment", _("payment")
    ENROLLMENT = "enrollment", _("free enrolment")
    GRANT = "grant", _("granted by staff")


class AccessQuerySet(models.QuerySet["Access"]):
    def active(self) -> Self:
        return self.filter(revoked_at=None)

    def revoked(self) -> Self:
        return self.filter(revoked_at__isnull=False)

    def of_people_like(self, text: str) -> Self:
        """Rights of the people with `text` in their name or e-mail."""
        people = get_user_model()._base_manager  # noqa: SLF001 - of those who left, too
        return find(self, of=Owners("user", people.filter(contains(text, *NAME_SEARCHES))))

    def held_by(self, user: User) -> Self:
        return self.active().filter(user_id=user.pk)

    def one_for_each_target(self) -> Self:
        """Leave out a second right to the same thing, and a lesson of a course that is had whole."""
        same = Access.objects.active().filter(user=OuterRef("user"))
        earlier = same.filter(pk__lt=OuterRef("pk"))
        return self.exclude(
            Exists(earlier.filter(course=OuterRef("course")))
            | Exists(earlier.filter(lesson=OuterRef("lesson")))
            | Exists(same.filter(course=OuterRef("lesson__course")))
        )

    def with_is_completed(self) -> Self:
        """Answer `is_completed` of rights to a single lesson."""
        completion = Completion.objects.filter(user=OuterRef("user"), lesson=OuterRef("lesson"))
        return self.annotate(is_completed=Exists(completion))


class Progress(NamedTuple):
    completed: int
    total: int
    percent: int

    @classmethod
    def of(cls, completed: int, total: int) -> Self:
        return cls(completed, total, completed * 100 // total if total else 0)


class Access(models.Model):
    """The right of one person to learn one course or one lesson.

    It is never deleted but revoked, so that it can be told later who had it, when and why. What
    owners, moderators and preview lessons are open to needs no row.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="accesses",
        verbose_name=_("learner"),
    )
    course = models.ForeignKey(
        "lms.Course",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="accesses",
        verbose_name=_("course"),
    )
    lesson = models.ForeignKey(
        "lms.Lesson",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="accesses",
        verbose_name=_("lesson"),
    )
    source = models.CharField(_("source"), max_length=10, choices=AccessSource)
    # What gave the right, in the words of the app that gave it, as `payment:17`. Empty if none.
    reference = models.CharField(_("reference"), max_length=50, blank=True, editable=False)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("given by"),
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    is_reason_told = models.BooleanField(
        _("reason told"), default=False, db_default=False, editable=False
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    revoked_reason = models.CharField(
        _("reason for the revocation"), max_length=200, blank=True, editable=False
    )

    objects = AccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("access")
        verbose_name_plural = _("accesses")
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=Q(course__isnull=False, lesson=None)
                | Q(course=None, lesson__isnull=False),
                name="access_has_one_target",
            ),
            models.UniqueConstraint(
                fields=["reference"], condition=~Q(reference=""), name="access_reference_unique"
            ),
            models.UniqueConstraint(
                fields=["user", "course", "source"],
                condition=Q(revoked_at=None, reference="", course__isnull=False),
                name="access_course_unique",
            ),
            models.UniqueConstraint(
                fields=["user", "lesson", "source"],
                condition=Q(revoked_at=None, reference="", lesson__isnull=False),
                name="access_lesson_unique",
            ),
        ]
        indexes = [
            # The staff's list: the newest first, of one source, or those taken back.
            models.Index(fields=["source", "-id"], name="access_source"),
            models.Index(
                fields=["id"], condition=Q(revoked_at__isnull=False), name="access_revoked"
            ),
            models.Index(fields=["created_at", "id"], name="access_created"),
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.target}"

    @property
    def is_revocable(self) -> bool:
        """What a payment gave goes with the payment, by a refund."""
        return self.revoked_at is None and self.source != AccessSource.PAYMENT

    @property
    def target(self) -> "Course | Lesson":
        """What the right is for."""
        target = self.course or self.lesson
        assert target is not None  # noqa: S101 - the database holds it (access_has_one_target)
        return target


class Completion(models.Model):
    """A lesson that a learner has finished."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        db_index=False,  # completion_unique begins with it
        related_name="completions",
        verbose_name=_("learner"),
    )
    lesson = models.ForeignKey(
        "lms.Lesson", models.CASCADE, related_name="completions", verbose_name=_("lesson")
    )
    created_at = models.DateTimeField(_("completed at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("completed lesson")
        verbose_name_plural = _("completed lessons")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["user", "lesson"], name="completion_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ✓ {self.lesson}"

"""The daily mail: which changes of which courses it tells to whom.

A change is told to a subscriber by the mail at once or by a daily mail, never by both. What the mail
at once told is known from its deliveries; up to where daily mails told is in
`Subscription.digested_up_to`, and what each of them told whom in `DigestPart`. Changes of a course are
numbered in the order in which they are committed, because each is written with the course locked.
"""

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models.courses import Course
from lms.models.updates import CourseChange, CourseChangeQuerySet
from project.mail.models import Delivery, Mailing, MailingState, mailing_key

# The kinds of mail by which subscribers hear of changes (lms/mails.py, lms/digest_mails.py).
AT_ONCE_MAIL = "course_update"
DAILY_MAIL = "course_digest"


class Digest(models.Model):
    """The daily mail of one day of the school."""

    date = models.DateField(_("day"), unique=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    # People with a primary key up to this one have their parts.
    listed_up_to = models.BigIntegerField(_("listed up to"), default=0)
    is_listed = models.BooleanField(_("all recipients are listed"), default=False)

    class Meta:
        verbose_name = _("daily mail")
        verbose_name_plural = _("daily mails")
        ordering = ("-date",)
        default_permissions = ()
        indexes = [
            models.Index(fields=["date"], name="digest_unlisted", condition=Q(is_listed=False))
        ]

    def __str__(self) -> str:
        return self.date.isoformat()


class DigestCourse(models.Model):
    """A course of which a daily mail may tell. To those who left the daily mail it tells changes
    up to `settled_up_to` only: of later ones they may still hear at once."""

    digest = models.ForeignKey(Digest, models.CASCADE, db_index=False, related_name="courses")
    course = models.ForeignKey(Course, models.CASCADE, related_name="digests")
    settled_up_to = models.PositiveBigIntegerField()
    up_to = models.PositiveBigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["digest", "course"], name="digest_course_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.digest_id}: {self.course_id}"


class DigestPart(models.Model):
    """What a daily mail tells one person of one course: the changes after one and up to another,
    but those of which a mail at once told them.

    `course_id` is no foreign key: there are very many rows, and of a course that is deleted nothing
    is told any more.
    """

    digest = models.ForeignKey(
        Digest,
        models.CASCADE,
        db_index=False,  # digest_part_unique begins with it
        related_name="parts",
        verbose_name=_("day"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        verbose_name=_("recipient"),
    )
    course_id = models.BigIntegerField(_("course"))
    after = models.PositiveBigIntegerField()
    up_to = models.PositiveBigIntegerField()
    # Of some of these changes a mail at once told the person.
    is_partial = models.BooleanField()

    class Meta:
        verbose_name = _("part of a daily mail")
        verbose_name_plural = _("parts of daily mails")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "user", "course_id"], name="digest_part_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.digest_id}: {self.user_id}, {self.course_id}"


def last_settled(course: str) -> Combinable:
    """The last change of a course before those that a mail at once is still to tell: what is
    collected, and what recipients are being listed for. 0 if there is none. `course` names the
    column of the outer query."""
    changes = CourseChange.objects.filter(course=OuterRef(course))
    unlisted = Mailing.objects.filter(
        kind=AT_ONCE_MAIL, state__in=[MailingState.LISTING, MailingState.PARKED]
    )
    is_open = Q(update=None) | Q(update__in=unlisted.values("subject_id"))
    number = models.PositiveBigIntegerField()
    first_open = Subquery(changes.filter(is_open).order_by("id").values("id")[:1], number)
    last = Subquery(changes.order_by("-id").values("id")[:1], number)
    return Coalesce(first_open - Value(1, number), last, Value(0, number), output_field=number)


def changes_in(after: str, up_to: str, *, course: str) -> CourseChangeQuerySet:
    """The changes of a course after one and up to another; the columns are of the outer query."""
    return CourseChange.objects.filter(
        course=OuterRef(course), id__gt=OuterRef(after), id__lte=OuterRef(up_to)
    )


def told_at_once(person: str) -> Exists:
    """Of changes: whether a mail at once tells this person of them. `person` is a column of the query
    around that of the changes."""
    number = Cast(OuterRef("update"), models.CharField())
    key = Concat(Value(mailing_key(AT_ONCE_MAIL, "")), number)
    recipient = OuterRef(OuterRef(person))
    return Exists(Delivery.objects.filter(recipient=recipient, mailing__key=key))

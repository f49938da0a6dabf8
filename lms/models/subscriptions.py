"""Who wants to hear of updates of a course."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models.visibility import published_or_own
from people.models import CourseMails, User
from project.mail.refusals import stopped

# How the person hears of updates: as they chose for the course, or else for all.
CHOICE = Coalesce("course_mails", "user__course_mails")


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def visible_to(self, user: User) -> Self:
        """This person's own subscriptions, to courses that they may (still) see."""
        return self.filter(published_or_own(user, "course__"), user=user)

    def reached(self) -> Self:
        """Those of people who are not blocked, and whose address gets mail."""
        confirmed = self.filter(user__is_active=True, user__email_confirmed_at__isnull=False)
        return confirmed.exclude(user__in=stopped().values("recipient"))

    def hearing(self, how: CourseMails) -> Self:
        """Those who hear of updates in this way."""
        return self.alias(choice=CHOICE).filter(choice=how)

    def in_digests(self) -> Self:
        """Those of whom the daily mail has something to remember: who hear by it, or did."""
        return self.filter(digested_up_to__isnull=False)


class Subscription(models.Model):
    """A person who wants to hear of updates of a course."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        db_index=False,  # subscription_unique begins with it
        related_name="subscriptions",
        verbose_name=_("subscriber"),
    )
    course = models.ForeignKey(
        "lms.Course", models.CASCADE, related_name="subscriptions", verbose_name=_("course")
    )
    # Null: as they chose for all courses.
    course_mails = models.CharField(  # noqa: DJ001 - an empty text is none of the choices
        _("emails about updates"), max_length=10, choices=CourseMails, null=True, blank=True
    )
    # The last CourseChange of which the daily mail has told, or need not tell. Null: it never had to.
    digested_up_to = models.PositiveBigIntegerField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="subscription_unique"),
            models.CheckConstraint(
                condition=~Q(course_mails=CourseMails.DAILY.value)
                | Q(digested_up_to__isnull=False),
                name="subscription_daily_is_marked",
            ),
        ]
        indexes = [
            models.Index(
                fields=["course", "digested_up_to"],
                name="subscription_in_digests",
                condition=Q(digested_up_to__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.course}"

    @property
    def hears(self) -> CourseMails:
        """How the person hears of updates of this course."""
        return CourseMails(self.course_mails or self.user.course_mails)

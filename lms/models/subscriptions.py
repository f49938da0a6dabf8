"""Who wants to hear of updates of a course."""

from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models.visibility import published_or_own
from people.models import User
from project.mail.refusals import stopped


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def visible_to(self, user: User) -> Self:
        """This person's own subscriptions, to courses that they may (still) see."""
        return self.filter(published_or_own(user, "course__"), user=user)

    def reached(self) -> Self:
        """Those of people who are not blocked, and whose address gets mail."""
        confirmed = self.filter(user__is_active=True, user__email_confirmed_at__isnull=False)
        return confirmed.exclude(user__in=stopped().values("recipient"))


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
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="subscription_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.course}"

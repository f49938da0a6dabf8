"""What staff write to people."""

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from project.common.texts import SUBJECT_LENGTH, TEXT_LENGTH

HOUR = timedelta(hours=1)


class StaffMessageQuerySet(models.QuerySet["StaffMessage"]):
    def of_the_last_hour(self) -> Self:
        return self.filter(created_at__gt=timezone.now() - HOUR)


class StaffMessage(models.Model):
    """What one of the staff wrote to one person, in plain text: one mail."""

    # Of the page that sent it: sent twice, it is one message.
    key = models.UUIDField(unique=True, editable=False)
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("sender"),
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="staff_messages",
        verbose_name=_("recipient"),
    )
    subject = models.CharField(_("subject"), max_length=SUBJECT_LENGTH)
    text = models.TextField(_("text"), max_length=TEXT_LENGTH)
    # What it is about, in the words of the app that knows, as `payment:17`. Empty if of nothing.
    reference = models.CharField(_("about"), max_length=50, blank=True)
    created_at = models.DateTimeField(_("sent"), default=timezone.now)

    objects = StaffMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=~Q(subject="") & ~Q(text=""), name="staff_message_has_words"
            ),
        ]
        indexes = [
            models.Index(fields=["sender", "created_at"], name="staff_message_sender"),
            models.Index(
                fields=["reference"], name="staff_message_about", condition=~Q(reference="")
            ),
        ]

    def __str__(self) -> str:
        return self.subject

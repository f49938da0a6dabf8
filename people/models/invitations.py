"""Invitations: accounts that somebody else made, until their people have come."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.models.users import User


class Invitation(models.Model):
    """The roles wait here: an account has none before its person has come by the link. Once they have
    come it stays, so that the link can say so."""

    user = models.OneToOneField(User, models.CASCADE, related_name="invitation")
    roles = models.ManyToManyField(Group, related_name="+")
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    # Of the latest mail; those before it end.
    sent_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user)

    @property
    def expires_at(self) -> datetime:
        return self.sent_at + settings.INVITATION_LIFETIME

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def state(self) -> str:
        """What the link ends with, when it changes."""
        return f"{self.user.identity}|{self.user.email}|{self.sent_at.isoformat()}"

"""The log-ins to the admin that are not over."""

from datetime import timedelta
from typing import Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Exists, F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.models.log_ins import DEVICE_LENGTH
from people.models.users import User


class AdminSessionQuerySet(models.QuerySet["AdminSession"]):
    def alive(self) -> Self:
        """Those that still let somebody in: used while the browser kept the cookie, and begun under
        the present version of the account."""
        kept = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
        return self.filter(last_used_at__gt=kept, token_version=F("user__token_version"))

    def with_has_device(self, device: Exists) -> Self:
        """Answer `has_device`; what a device is the service knows."""
        return self.annotate(has_device=device)


class AdminSession(models.Model):
    """One log-in to the admin. Django's session names it: without this row, or once the account has
    another `token_version`, that session lets nobody in."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="admin_sessions")
    token_version = models.PositiveIntegerField()
    begun_at = models.DateTimeField(_("begun at"))
    last_used_at = models.DateTimeField(_("last used at"), db_index=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    device = models.CharField(_("device"), max_length=DEVICE_LENGTH, blank=True)
    # When the person showed last that it is still them.
    password_at = models.DateTimeField()
    code_at = models.DateTimeField(null=True, blank=True)
    has_device: bool  # of `with_has_device`

    objects = AdminSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session in the admin")
        verbose_name_plural = _("sessions in the admin")
        default_permissions = ()
        ordering = ("-last_used_at", "pk")

    def __str__(self) -> str:
        return f"{self.begun_at:%Y-%m-%d %H:%M}"

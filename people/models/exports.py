"""The files with all that is kept of a person."""

from datetime import timedelta
from typing import Self
from uuid import uuid4

from django.core.files.storage import Storage, storages
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.models.users import User

# The file, and the link to it.
EXPORTS_KEPT = timedelta(days=7)
# Whatever was to be made has been given up by then.
GIVEN_UP_AFTER = timedelta(hours=1)
FOLDER = "exports"


class PersonalExportQuerySet(models.QuerySet["PersonalExport"]):
    def ready(self) -> Self:
        """Those whose file may still be had."""
        return self.filter(ready_at__gt=timezone.now() - EXPORTS_KEPT)

    def running(self) -> Self:
        return self.filter(ready_at=None, requested_at__gt=timezone.now() - GIVEN_UP_AFTER)

    def over(self) -> Self:
        now = timezone.now()
        return self.filter(
            models.Q(ready_at__lte=now - EXPORTS_KEPT)
            | models.Q(ready_at=None, requested_at__lte=now - GIVEN_UP_AFTER)
        )


class PersonalExport(models.Model):
    """The one export of a person: a worker makes the file, which is named by the key."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="export")
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    ready_at = models.DateTimeField(_("ready at"), null=True, blank=True)

    objects = PersonalExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export of personal data")
        verbose_name_plural = _("exports of personal data")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d %H:%M}"

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.pk.hex}.zip"


def private_storage() -> Storage:
    """Where files lie that nobody gets by an address alone."""
    return storages["private"]

"""The log-ins that tokens descend from."""

from datetime import datetime, timedelta
from typing import Self
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.models.log_ins import DEVICE_LENGTH
from people.models.users import User

# How long the token that was exchanged last gets its successor once more: answers are lost, and two
# tabs exchange the same token.
GRACE_PERIOD = timedelta(seconds=30)


class TokenFamilyQuerySet(models.QuerySet["TokenFamily"]):
    def with_now(self) -> Self:
        """Answer `now` by the clock of the database: those of the hosts may differ by more than the
        grace period."""
        return self.annotate(now=Now())

    def alive(self) -> Self:
        """Those whose newest token is good; of the release before it is not known under which version
        of the account they began."""
        current = Q(token_version=F("user__token_version")) | Q(token_version=None)
        return self.filter(current, expires_at__gt=timezone.now())


class TokenFamily(models.Model):
    """The refresh tokens that descend from one log-in. Without this row none of them is good.

    Only the newest one, number `generation`, can be exchanged. No token is kept: all that is written
    in it can be read here, so that it can be signed again.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    generation = models.PositiveIntegerField(default=0)
    # Of the newest token.
    issued_at = models.DateTimeField(_("last used at"))
    expires_at = models.DateTimeField(db_index=True)
    # Of the log-in; empty in those of the release before.
    begun_at = models.DateTimeField(_("begun at"), null=True, blank=True)
    token_version = models.PositiveIntegerField(null=True, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True, db_default="")
    device = models.CharField(_("device"), max_length=DEVICE_LENGTH, blank=True, db_default="")
    now: datetime  # of `with_now`

    objects = TokenFamilyQuerySet.as_manager()

    class Meta:
        verbose_name = _("session on the site")
        verbose_name_plural = _("sessions on the site")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}, {self.generation}"

    @property
    def last_used_at(self) -> datetime:
        """Access tokens are good for minutes: who is there exchanges the other one."""
        return self.issued_at

    def accepts(self, generation: int, *, at: datetime) -> bool:
        """Say whether this token can be exchanged: the newest one, and for GRACE_PERIOD the one
        before it."""
        if generation == self.generation - 1:
            return at < self.issued_at + GRACE_PERIOD
        return generation == self.generation

    def advance(self, *, at: datetime, lifetime: timedelta) -> None:
        """Replace the newest token by another one. Saves nothing."""
        self.generation += 1
        self.issued_at = at
        self.expires_at = at + lifetime

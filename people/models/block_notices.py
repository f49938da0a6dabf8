"""What staff tell people of the blocks of their accounts."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class BlockNotice(models.Model):
    """A block or its end by staff that the person is told of, with the reason. What nobody is told
    of has no row here: the history of the person in the admin has both."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="block_notices",
        verbose_name=_("person"),
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    is_blocked = models.BooleanField(_("blocked"))
    reason = models.CharField(_("reason"), max_length=500)
    created_at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("notice of a block")
        verbose_name_plural = _("notices of blocks")
        ordering = ("id",)
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="block_notice_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.reason}"

    @property
    def is_true(self) -> bool:
        """Whether the person is still as it says: blocked by staff since then, or not blocked."""
        if not self.is_blocked:
            return self.person.is_active
        counted_from = self.person.inactivity_from
        was_lifted = counted_from is not None and counted_from > self.created_at
        return self.person.is_blocked_by_staff and not was_lifted

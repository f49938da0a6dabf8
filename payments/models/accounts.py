"""Where at Stripe something was made."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class MadeAtStripe(models.Model):
    """What is there in one mode (live or test) of one account, and unknown in any other. Both are
    unknown of older rows, the account also where the key may not tell it."""

    livemode = models.BooleanField(_("live mode"), null=True, editable=False)
    account_id = models.CharField(
        _("account at Stripe"),
        max_length=255,
        blank=True,
        editable=False,
        default="",
        db_default="",
    )

    class Meta:
        abstract = True

    def may_be_in(self, *, livemode: bool, account_id: str) -> bool:
        """Say whether nothing speaks against its being there."""
        if self.livemode is not None and self.livemode != livemode:
            return False
        return not self.account_id or not account_id or self.account_id == account_id

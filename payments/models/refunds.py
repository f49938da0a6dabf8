"""Money that goes back to the buyer."""

import uuid
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from project.common.money import DECIMAL_PLACES, MAX_DIGITS, shown


class RefundStatus(models.TextChoices):
    REQUESTED = "requested", _("requested")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


# How far a refund has come. It never goes back: one that succeeded can still fail, days later.
RANKS = {RefundStatus.REQUESTED: 0, RefundStatus.SUCCEEDED: 1, RefundStatus.FAILED: 2}


# Our own word for one that was asked for, and that Stripe does not list.
NEVER_MADE = "never_made"
# Why a refund failed, by Stripe's words for it.
FAILURES = {
    "charge_for_pending_refund_disputed": _("the payment was disputed"),
    "declined": _("declined by the bank"),
    "expired_or_canceled_card": _("the card has expired or was canceled"),
    "insufficient_funds": _("insufficient funds"),
    "lost_or_stolen_card": _("the card was lost or stolen"),
    "merchant_request": _("canceled at our request"),
    NEVER_MADE: _("Stripe has never made it"),
    "unknown": _("unknown reason"),
}


class RefundQuerySet(models.QuerySet["Refund"]):
    def promised(self) -> Self:
        """Refunds whose money went back or is about to."""
        return self.exclude(status=RefundStatus.FAILED)

    def requested(self) -> Self:
        """Refunds of which it is not known yet whether the money went back."""
        return self.filter(status=RefundStatus.REQUESTED)

    def failed_for_good(self) -> Self:
        """Refunds that Stripe made and that failed, where no later one took their place: the buyer
        still waits for the money. One that was under way when it failed takes no other's place;
        of those made in Stripe's dashboard we may hear before we hear of the failure."""
        later = Refund.objects.promised().filter(
            Q(created_at__gt=OuterRef("settled_at")) | Q(by=None, amount=OuterRef("amount")),
            payment=OuterRef("payment"),
            created_at__gt=OuterRef("created_at"),
        )
        failed = self.filter(status=RefundStatus.FAILED, payment__status="paid")
        return failed.exclude(refund_id="").filter(~Exists(later))

    def ending_access(self) -> Self:
        return self.filter(status=RefundStatus.SUCCEEDED, ends_access=True)

    def unanswered(self) -> Self:
        """Refunds that Stripe was asked for, and of which it is unknown whether they were made."""
        return self.requested().filter(refund_id="")

    def answered(self) -> Self:
        return self.exclude(status=RefundStatus.REQUESTED, refund_id="")

    def total(self) -> Decimal:
        total: Decimal = self.aggregate(total=Coalesce(Sum("amount"), Decimal(0)))["total"]
        return total


class Refund(models.Model):
    """One refund of a payment, of all of it or of a part."""

    payment = models.ForeignKey(
        "payments.Payment", models.CASCADE, related_name="refunds", verbose_name=_("payment")
    )
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    status = models.CharField(
        _("status"), max_length=9, choices=RefundStatus, default=RefundStatus.REQUESTED
    )
    ends_access = models.BooleanField(
        _("ends the access"),
        default=False,
        help_text=_("A refund of the whole amount always does."),
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    is_reason_told = models.BooleanField(
        _("reason told"), default=False, db_default=False, editable=False
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
        help_text=_("Empty if it was made in Stripe's dashboard, or imported."),
    )
    # `token` names it at Stripe before we know `refund_id`, so that asking again gives one refund.
    token = models.UUIDField(default=uuid.uuid4, editable=False)
    refund_id = models.CharField(_("refund at Stripe"), max_length=255, blank=True, editable=False)
    failure = models.CharField(_("why it failed"), max_length=100, blank=True, editable=False)
    created_at = models.DateTimeField(_("requested at"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = pgettext_lazy("money", "refund")
        verbose_name_plural = _("refunds")
        ordering = ("id",)
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(status__in=RefundStatus.values), name="refund_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status="requested", settled_at=None)
                | (~Q(status="requested") & Q(settled_at__isnull=False)),
                name="refund_settled_has_time",
            ),
            models.UniqueConstraint(fields=["token"], name="refund_token_unique"),
            models.UniqueConstraint(
                fields=["refund_id"], condition=~Q(refund_id=""), name="refund_id_unique"
            ),
            # Asked for, and Stripe's answer did not come: the next try is this one again.
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(status="requested", refund_id=""),
                name="refund_one_unanswered",
            ),
        ]

    @property
    def shown_amount(self) -> str:
        return shown(self.amount, self.payment.currency)

    def __str__(self) -> str:
        return self.shown_amount

    @property
    def reference(self) -> str:
        """What a finding about it is known by."""
        return f"refund:{self.pk}"

    @property
    def is_given_up(self) -> bool:
        """Failed as far as we know, and Stripe has told nothing of it."""
        return self.status == RefundStatus.FAILED and not self.refund_id

    @property
    def failure_in_words(self) -> str:
        return str(FAILURES.get(self.failure, self.failure))

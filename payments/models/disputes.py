"""Payments that the buyer's bank calls into question."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from project.common.money import DECIMAL_PLACES, MAX_DIGITS, shown


class DisputeStatus(models.TextChoices):
    """Stripe's own states; the first three are questions of a bank that has not taken the money."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response", _("inquiry, needs an answer")
    WARNING_UNDER_REVIEW = "warning_under_review", _("inquiry, under review")
    WARNING_CLOSED = "warning_closed", _("inquiry, closed")
    NEEDS_RESPONSE = "needs_response", _("needs an answer")
    UNDER_REVIEW = "under_review", _("under review")
    PREVENTED = "prevented", _("prevented")
    WON = "won", _("won")
    LOST = "lost", _("lost")
    # For whatever Stripe calls otherwise.
    OTHER = "other", _("unknown to Parta")


class TakesAccess(models.TextChoices):
    """When a dispute takes the access (settings.DISPUTE_TAKES_ACCESS)."""

    CREATED = "created"
    LOST = "lost"


# What the buyer's bank names as the reason, by Stripe's words for it.
REASONS = {
    "bank_cannot_process": _("the bank can't process the payment"),
    "check_returned": _("the check was returned"),
    "credit_not_processed": _("the refund did not arrive"),
    "customer_initiated": _("the buyer disputes it"),
    "debit_not_authorized": _("the debit was not authorized"),
    "duplicate": _("charged twice"),
    "fraudulent": _("fraud: the cardholder did not pay"),
    "general": _("no reason given"),
    "incorrect_account_details": _("wrong account details"),
    "insufficient_funds": _("insufficient funds"),
    "noncompliant": _("against the rules of the card network"),
    "product_not_received": _("nothing was received"),
    "product_unacceptable": _("not as described"),
    "subscription_canceled": _("charged after a cancellation"),
    "unrecognized": _("the cardholder does not recognize the payment"),
}
INQUIRIES = (DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.WARNING_UNDER_REVIEW)
TO_ANSWER = (DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.NEEDS_RESPONSE)
OPEN = (
    *TO_ANSWER, DisputeStatus.WARNING_UNDER_REVIEW, DisputeStatus.UNDER_REVIEW, DisputeStatus.OTHER,
)  # fmt: skip
MONEY_HELD = (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def to_answer(self) -> Self:
        """Disputes that are lost if nobody sends evidence."""
        return self.filter(status__in=TO_ANSWER)

    def standing(self) -> Self:
        """Disputes that are open or were lost."""
        return self.filter(status__in=(*OPEN, DisputeStatus.LOST))

    def barring_refunds(self) -> Self:
        """Disputes because of which Stripe refuses a refund: a question of the bank is none."""
        return self.standing().exclude(status__in=INQUIRIES)

    def taking_access(self) -> Self:
        """Disputes because of which the payment gives no access now."""
        at_once = settings.DISPUTE_TAKES_ACCESS == TakesAccess.CREATED
        return self.filter(status__in=(*(MONEY_HELD if at_once else ()), DisputeStatus.LOST))


class Dispute(models.Model):
    """A dispute about a payment at Stripe, as Stripe last told of it."""

    payment = models.ForeignKey(
        "payments.Payment", models.CASCADE, related_name="disputes", verbose_name=_("payment")
    )
    dispute_id = models.CharField(_("dispute at Stripe"), max_length=255, editable=False)
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=100)
    status = models.CharField(_("status"), max_length=22, choices=DisputeStatus)
    evidence_due_by = models.DateTimeField(_("evidence due by"), null=True, blank=True)
    created_at = models.DateTimeField(_("opened at"), default=timezone.now)
    # When Stripe said so: an event that comes late changes nothing.
    told_at = models.DateTimeField(_("told at"), default=timezone.now, editable=False)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=DisputeStatus.values), name="dispute_status_is_known"
            ),
            models.UniqueConstraint(fields=["dispute_id"], name="dispute_id_unique"),
        ]
        indexes = [models.Index(fields=["status", "evidence_due_by"], name="dispute_to_answer")]

    def __str__(self) -> str:
        return self.shown_amount

    @property
    def shown_amount(self) -> str:
        return shown(self.amount, self.currency)

    @property
    def reason_in_words(self) -> str:
        return str(REASONS.get(self.reason or "general", self.reason))

    @property
    def waits_for_us(self) -> bool:
        """Evidence may be asked for."""
        return self.status in {*TO_ANSWER, DisputeStatus.OTHER}

"""Where payments, access and Stripe disagree, and what became of it (docs/rules.md, 12.19)."""

from datetime import date
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from payments.models.notes import STATES, StripeOutcome
from project.common.money import shown


class FindingKind(models.TextChoices):
    PAID_WITHOUT_ACCESS = "paid_without_access", _("paid, but no access")
    ACCESS_WITHOUT_PAYMENT = "access_without_payment", _("access without a payment")
    LEDGER_DIFFERS = "ledger_differs", _("not as in the ledger")
    PAID_TWICE = "paid_twice", _("paid twice")
    AMOUNT_DIFFERS = "amount_differs", _("another amount at Stripe")
    UNKNOWN_AT_STRIPE = "unknown_at_stripe", _("unknown to Stripe")
    STRIPE_SAYS_OTHERWISE = "stripe_says_otherwise", _("Stripe says otherwise")
    OPEN_TOO_LONG = "open_too_long", _("open for too long")
    PROCESSING_TOO_LONG = "processing_too_long", _("processing for too long")
    REFUND_FAILED = "refund_failed", _("refund failed")
    REFUND_UNANSWERED = "refund_unanswered", _("refund without an outcome")
    WEBHOOK_DIFFERS = "webhook_differs", _("webhook set up differently")
    PRICE_REFUSED = "price_refused", _("price refused by Stripe")
    PAID_FOR_DELETED = "paid_for_deleted", _("paid for what was deleted")
    NOT_UNDERSTOOD = "not_understood", _("not understood")
    OTHER_MODE = "other_mode", _("in Stripe's other mode")


class FindingStatus(models.TextChoices):
    OPEN = "open", _("open")
    REPAIRED = "repaired", _("repaired")
    SETTLED = "settled", _("settled")


# What is found by asking Stripe. The others are found in our own books, or told when they happen.
AT_STRIPE = (
    FindingKind.AMOUNT_DIFFERS,
    FindingKind.UNKNOWN_AT_STRIPE,
    FindingKind.STRIPE_SAYS_OTHERWISE,
)
# The name of the param that says in words what the others say, too.
WORDING = "words"
# What a finding says, by `params["as"]` or its kind; `params` fill the places.
WORDS = {
    "paid_without_access": _("It is paid, but the learner has no access."),
    "access_without_payment": _(
        "The learner has access from a payment that is not paid (%(reference)s)."
    ),
    "ledger_differs": _("What the ledger has of it is not what was paid and given back."),
    "paid_twice": _("It has been paid for %(times)s times; refund the extra payment."),
    "amount_differs": _("The amount is %(ours)s here and %(theirs)s at Stripe."),
    "unknown_at_stripe": _("Stripe doesn't know its session (%(reason)s)."),
    "stripe_says_otherwise": _("Its status is %(ours)s here and %(theirs)s at Stripe."),
    "refunds_differ": _("Stripe gave %(theirs)s back, and we know of %(ours)s."),
    "open_too_long": _("It has been open since %(date)s."),
    "processing_too_long": _("The money has been on its way since %(date)s."),
    "refund_failed": _(
        "The refund of %(amount)s did not reach the buyer (%(reason)s): pay it out in another way."
    ),
    "refund_unanswered": _("It is unknown what became of the refund of %(amount)s."),
    "webhook_differs": _(
        "Stripe's webhook sends events of the version %(theirs)s, and Parta reads %(ours)s: set it at the webhook in Stripe's dashboard."
    ),
    "thin_events": _(
        "Stripe's webhook sends thin events, which Parta can't use: choose snapshot events in Stripe's dashboard."
    ),
    "price_refused": _("Stripe does not accept the price of %(amount)s (%(reason)s)."),
    "price_refused_in_words": _(
        "Nobody can buy this for %(amount)s, as Stripe refuses the price: %(words)s (%(reason)s)"
    ),
    "paid_for_deleted": _("What it was for has been deleted: give the money back."),
    "refund_not_understood": _(
        "Stripe tells of a refund of %(theirs)s that Parta does not understand (%(id)s, status: %(status)s): look at it in Stripe's dashboard."
    ),
    "dispute_not_understood": _(
        "Stripe tells of a dispute of %(theirs)s that Parta does not understand (%(id)s, status: %(status)s): look at it in Stripe's dashboard."
    ),
    "not_understood": _(
        "Stripe's event %(id)s (%(type)s) can't be read: look at it in Stripe's dashboard."
    ),
    "other_mode": _(
        "This payment was made in another mode or account of Stripe than Parta's key belongs to."
    ),
    "made_in_live_mode": _(
        "This payment was made in Stripe's live mode, but Parta has a test key: it waits for a live key."
    ),
    "made_in_test_mode": _(
        "This payment was made in Stripe's test mode, but Parta has a live key: it waits for a test key."
    ),
    "events_of_live_mode": _(
        "Stripe sends events from live mode, but Parta has a test key. They will be applied once it has a live key again, if that is within thirty days."
    ),
    "events_of_test_mode": _(
        "Stripe sends events from test mode, but Parta has a live key. They will be applied once it has a test key again, if that is within thirty days."
    ),
    StripeOutcome.OTHER_PAYMENT.value: StripeOutcome.OTHER_PAYMENT.label,
    StripeOutcome.OTHER_SESSION.value: StripeOutcome.OTHER_SESSION.label,
}


class FindingQuerySet(models.QuerySet["Finding"]):
    def open(self) -> Self:
        return self.filter(status=FindingStatus.OPEN)

    def pressing(self) -> Self:
        """Those for the dashboard: a price is one once Stripe refused it to a second buyer, or to one
        who tried again."""
        once = Q(kind=FindingKind.PRICE_REFUSED, last_seen_at=F("first_seen_at"))
        return self.open().exclude(once)


class Finding(models.Model):
    """Something that was found wrong about a payment: open until it is found no more, or a person
    says that nothing is to be done about it. `params` are facts, so that each reader gets the words
    in their own language."""

    kind = models.CharField(_("kind"), max_length=30, choices=FindingKind)
    payment = models.ForeignKey(
        "payments.Payment",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="findings",
        verbose_name=_("payment"),
    )
    # What it is about, as `payment:17`, `refund:3`, or the reference of an access.
    reference = models.CharField(_("reference"), max_length=100)
    params = models.JSONField(default=dict, editable=False)
    status = models.CharField(
        _("status"), max_length=8, choices=FindingStatus, default=FindingStatus.OPEN
    )
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("settled by"),
    )
    settled_reason = models.CharField(_("reason"), max_length=200, blank=True)
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=FindingStatus.values), name="finding_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status="settled", settled_by__isnull=False) & ~Q(settled_reason="")
                | ~Q(status="settled") & Q(settled_by=None, settled_reason=""),
                name="finding_settled_has_who_and_why",
            ),
            models.CheckConstraint(
                condition=Q(status="open", closed_at=None)
                | ~Q(status="open") & Q(closed_at__isnull=False),
                name="finding_closed_has_time",
            ),
            # The reference names the payment, too, where there is one.
            models.UniqueConstraint(
                fields=["kind", "reference"], condition=Q(status="open"), name="finding_open_once"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "kind", "-id"], name="finding_status_kind"),
            models.Index(fields=["kind", "reference"], name="finding_kind_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.payment or self.reference}"

    @property
    def detail(self) -> str:
        """What is wrong, in the language of whoever reads it."""
        words = WORDS[self.params.get("as", self.kind)]
        return words % {name: _shown(name, value) for name, value in self.params.items()}


def _shown(name: str, value: Any) -> str:
    """A fact as JSON has it: an amount is a pair of number and currency."""
    if isinstance(value, list):
        return shown(Decimal(value[0]), value[1])
    if name == "date":
        return date_format(date.fromisoformat(str(value)), "SHORT_DATE_FORMAT")
    return str(STATES.get(str(value), value) or "—")

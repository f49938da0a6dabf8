"""What webhooks, workers and commands note, without knowing who will read it in which language."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from payments.models.disputes import DisputeStatus
from payments.models.refunds import FAILURES, RefundStatus
from payments.models.states import PaymentStatus

# What Stripe calls the states of a session, of its money and of a refund, beside our own words.
STRIPE_STATES: dict[str, object] = {
    "open": pgettext_lazy("session", "open"),
    "complete": _("complete"),
    "unpaid": _("unpaid"),
    "no_payment_required": _("no payment required"),
    "requires_action": _("requires action"),
    "succeeded": _("succeeded"),
    "canceled": _("canceled"),
}
STATES = STRIPE_STATES | {
    **FAILURES,
    **dict(DisputeStatus.choices),
    **dict(RefundStatus.choices),
    **dict(PaymentStatus.choices),
}


class Note(models.TextChoices):
    """A code, followed by what it is about where its label has a place for it: `moved to: paid`.

    The codes are words, because logs and the page of an access show them as they are.
    """

    def about(self, *details: object) -> str:
        return f"{self.value}: {', '.join(map(str, details))}"

    @classmethod
    def in_words(cls, text: str) -> str:
        """Translate a note; what a person wrote stays as it is."""
        code, _colon, details = text.partition(": ")
        label = str(dict(cls.choices).get(code, ""))
        if not label or ("%s" in label) != bool(details):
            return text
        words = (str(STATES.get(detail, detail)) for detail in details.split(", "))
        return label.replace("%s", ", ".join(words))


class StripeOutcome(Note):
    """What came of something that Stripe said."""

    MOVED = "moved to", _("moved to: %s")
    UNMOVED = "nothing to do", _("nothing to do; the status is: %s")
    OTHER_PAYMENT = "other payment", _("the session belongs to another payment")
    OTHER_SESSION = "other session", _("not the current session of the payment")
    AMOUNT_DIFFERS = "amount differs", _("the amount or currency differs")
    NOT_OURS = "not ours", _("not about one of our payments")
    OTHER_TYPE = "other type", _("of a type that changes nothing")
    THIN = "thin", _("thin event: says nothing of what happened")
    ASKED = "asked", _("Stripe is asked which refunds there are")
    REFUND = "refund", _("refund at Stripe: %s")
    DISPUTE = "dispute", _("dispute at Stripe: %s")


class AutomaticReason(Note):
    """Why a payment moved or its access ended, where no person gave the reason."""

    SESSION = "session", _("session at Stripe: %s")
    REFUND = "refund", _("refund at Stripe: %s")
    DISPUTE = "dispute", _("dispute at Stripe: %s")
    OTHER_SUM = "other sum", _("another sum came than was asked for: %s")
    SESSION_UNKNOWN = "session unknown", _("Stripe doesn't know the session")
    PAGE_NEVER_MADE = "page never made", _("the payment page was never created")
    PAID_OTHERWISE = "paid otherwise", _("paid for by another payment")
    NO_PAID_PAYMENT = "no paid payment", _("no paid payment")

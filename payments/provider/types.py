"""What can be said about a payment provider: plain data in and out, and what can go wrong.

Amounts are exact decimals, currencies ISO 4217 codes in upper case.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from project.common.errors import Conflict, DomainError


class ProviderError(DomainError):
    """The payment provider did not do what was asked. Another try takes the same idempotency key,
    unless `needs_new_key`: this one is answered with the same failure for at least a day."""

    code = "payment_provider_error"
    message = _("The payment provider gave an unexpected response. Try again later.")
    needs_new_key = False


class ProviderUnavailable(ProviderError):
    """No answer, or none that can be understood: whether it was done is unknown."""

    def __init__(self, *, needs_new_key: bool = False) -> None:
        super().__init__()
        self.needs_new_key = needs_new_key


class ProviderBusy(ProviderUnavailable):
    """Nothing was asked: too many calls wait for the provider, or it has been silent for a while."""

    code = "payment_provider_busy"
    message = _("The payment provider does not answer at the moment. Try again later.")

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after


class ProviderRefused(ProviderError):
    """The provider understood the request and refused it: nothing was done. `reason` is its own
    code and `param` the field that it did not take; `words` say why, for staff. Each may be empty.

    Refusals are kept under their key, too.
    """

    message = _("The payment provider refused this. Trying again will not help.")
    needs_new_key = True

    def __init__(self, reason: str = "", param: str = "", words: str = "") -> None:
        super().__init__()
        self.reason = reason
        self.param = param
        self.words = words

    @property
    def is_unknown(self) -> bool:
        """What was asked about, or a part of what was sent, does not exist there: it is of the
        other mode or of another account, or was deleted."""
        return self.reason == "resource_missing"

    @property
    def is_about_price(self) -> bool:
        """Another price is needed: this one is unknown there, or archived."""
        return self.is_unknown or self.param.endswith("[price]")

    @property
    def is_about_email(self) -> bool:
        """The buyer's address is not one that the provider takes."""
        return self.reason == "email_invalid" or self.param.endswith(("email", "email]"))

    @property
    def is_about_amount(self) -> bool:
        return self.reason in {"amount_too_small", "amount_too_large"}


class KeyUsedOtherwise(ProviderRefused):
    """The idempotency key was used before, with other parameters."""

    message = ProviderError.message


class ProviderMisconfigured(ProviderError):
    """Our key is missing or wrong, or of the other mode (test, live): nothing was done."""

    code = "payments_unavailable"
    message = _("Online payment is not available at the moment.")
    retry_after = 3600  # somebody has to see to it


class UnchargeableAmount(Conflict):
    """The provider can't take exactly this amount in this currency."""

    code = "unchargeable_amount"
    message = _("This amount can't be paid online.")


class InvalidSignature(DomainError):
    """The webhook was not signed with our secret, or too long ago."""

    code = "invalid_signature"
    message = _("The signature is not valid.")


class InvalidEvent(DomainError):
    """The webhook was signed well, but can't be understood."""

    code = "invalid_event"
    message = _("The event can't be read.")


@dataclass(frozen=True, slots=True)
class Account:
    """Where our key leads: ids of one mode of one account are unknown in any other. `id` is empty
    if the key may not tell."""

    livemode: bool
    id: str


@dataclass(frozen=True, slots=True)
class Session:
    """A Checkout Session as Stripe describes it.

    `status` is open, complete or expired; `payment_status` is paid, unpaid or
    no_payment_required, and it alone says whether there is money. `amount` is None where
    Stripe gives none or the currency is not one of ours. `url` is None once it is not open.
    `payment_failed` says that a delayed payment of a complete session came to nothing; it is told
    by an event of its own, and by a session that was retrieved. So is `paid_at`, the time of the
    charge.
    """

    id: str
    status: str
    payment_status: str
    url: str | None
    expires_at: datetime
    amount: Decimal | None
    currency: str | None
    client_reference_id: str | None
    payment_intent_id: str | None
    payment_failed: bool = False
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Money taken, and how much of it was given back; `refunded` only if all of it was."""

    id: str
    payment_intent_id: str | None
    payment_id: str | None
    amount: Decimal | None
    amount_refunded: Decimal | None
    currency: str
    refunded: bool


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """`status` is pending, requires_action, succeeded, failed or canceled, or empty; `failure` says why.
    `refund_token` is what we named it when we asked for it; None for one that we did not ask for."""

    id: str
    status: str
    payment_intent_id: str | None
    payment_id: str | None
    refund_token: str | None
    amount: Decimal | None
    currency: str
    created: datetime
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """`status` and `reason` are Stripe's own words."""

    id: str
    status: str
    reason: str
    payment_intent_id: str | None
    amount: Decimal | None
    currency: str
    created: datetime
    evidence_due_by: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """A signed event. At most one of the four objects is there; none for a type that we don't
    know and for an event of the other mode (test, live), which nobody may apply."""

    id: str
    type: str
    created: datetime
    livemode: bool
    session: Session | None = None
    charge: Charge | None = None
    refund: ProviderRefund | None = None
    dispute: ProviderDispute | None = None
    # Of the webhook that sent it; a thin event names what happened, and nothing of it.
    api_version: str = ""
    is_thin: bool = False
    # Of a type that we know, and what it is about is not as Stripe describes it.
    is_unreadable: bool = False

    @property
    def payment_intent_id(self) -> str | None:
        about = self.session or self.charge or self.refund or self.dispute
        return about.payment_intent_id if about else None

"""What was made or told in another mode or account of Stripe than our key's (docs/rules.md, 12.25)."""

from payments.models import Finding, FindingKind, Payment
from payments.models.findings import WORDS
from payments.provider import asking, stripe
from payments.services.findings import close_findings, note_finding
from project.common.errors import Conflict


class MadeElsewhere(Conflict):
    code = "made_elsewhere"
    message = WORDS["other_mode"]


def is_here(payment: Payment) -> bool:
    """Whether our key may know the payment. Asks Stripe once whose the key is; raises
    ProviderUnavailable."""
    here = stripe.ask_account()
    return not asking.is_configured() or payment.may_be_in(
        livemode=here.livemode, account_id=here.id
    )


def require_here(payment: Payment) -> None:
    """Raises MadeElsewhere for a payment that our key can't know, ProviderUnavailable."""
    if is_here(payment):
        return
    if payment.livemode in {None, stripe.known_account().livemode}:
        raise MadeElsewhere
    raise MadeElsewhere(WORDS[f"made_in_{mode(livemode=bool(payment.livemode))}"])


def note_events_wait(*, livemode: bool) -> None:
    """Have staff know that Stripe tells of the mode that our key is not of."""
    name = mode(livemode=livemode)
    note_finding(
        kind=FindingKind.OTHER_MODE,
        reference=f"webhook:{name}",
        params={"as": f"events_of_{name}"},
    )


def note_events_read(*, livemode: bool) -> None:
    close_findings(Finding.objects.filter(reference=f"webhook:{mode(livemode=livemode)}"))


def mode(*, livemode: bool) -> str:
    return "live_mode" if livemode else "test_mode"

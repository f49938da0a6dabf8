"""What the record says in fixed English words, in the language of the reader.

Outcomes and reasons are written by webhooks and workers, which have no reader; staff's own words
stay as they are.
"""

import re
from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from payments.models import PaymentStatus

FIXED = frozenset(
    (
        gettext_noop("the session is for another payment"),
        gettext_noop("the session is not the present one of the payment"),
        gettext_noop("amount or currency differ"),
        gettext_noop("not about a payment of ours"),
        gettext_noop("of a type that changes nothing"),
        gettext_noop("refunded in part only: the access stays"),
        gettext_noop("the page was never made"),
        gettext_noop("no paid payment"),
    )
)
# Words of Stripe's for a session and its money.
STRIPE_WORDS = {
    "open": gettext_noop("open"),
    "complete": gettext_noop("complete"),
    "expired": gettext_noop("expired"),
    "paid": gettext_noop("paid"),
    "unpaid": gettext_noop("unpaid"),
    "no_payment_required": gettext_noop("no payment required"),
    "pending": gettext_noop("pending"),
    "requires_action": gettext_noop("requires action"),
    "succeeded": gettext_noop("succeeded"),
    "failed": gettext_noop("failed"),
    "canceled": gettext_noop("canceled"),
}


def _status(value: str) -> str:
    return str(PaymentStatus(value).label) if value in PaymentStatus.values else value


def _stripe(value: str) -> str:
    return _(STRIPE_WORDS[value]) if value in STRIPE_WORDS else value


PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"moved to (\w+)"),
        lambda found: _("moved to: %s") % _status(found[1]),
    ),
    (
        re.compile(r"nothing to do: it is (\w+)"),
        lambda found: _("nothing to do, it is: %s") % _status(found[1]),
    ),
    (
        re.compile(r"session (\w+), (\w+)"),
        lambda found: (
            _("session at Stripe: %(state)s, %(money)s")
            % {"state": _stripe(found[1]), "money": _stripe(found[2])}
        ),
    ),
    (
        re.compile(r"charge (\w+) refunded"),
        lambda found: _("the money of %s was given back") % found[1],
    ),
    (
        re.compile(r"refund (\w+)"),
        lambda found: _("refund at Stripe: %s") % _stripe(found[1]),
    ),
)


def in_words(text: str) -> str:
    """Translate a fixed text of the record; return any other as it is."""
    if text in FIXED:
        return _(text)
    for pattern, translated in PATTERNS:
        if found := pattern.fullmatch(text):
            return translated(found)
    return text

"""Asking Stripe: a bounded number of calls at once, none inside a database transaction, and errors
of the SDK as ours."""

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connections

from payments.provider.limits import CallLimit
from payments.provider.reading import UNREADABLE, Json, is_live
from payments.provider.types import (
    KeyUsedOtherwise,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnavailable,
)
from project.common.lazily import load_lazily

if TYPE_CHECKING:
    import stripe
else:
    # 20 MiB and an eighth of a second, for processes that speak to Stripe.
    stripe = load_lazily("stripe")

logger = logging.getLogger(__name__)


def is_configured() -> bool:
    """Say whether there is a key, so that anything can be asked of Stripe."""
    return bool(settings.STRIPE_API_KEY)


@lru_cache(maxsize=8)
def limit_of(base: str, places: int) -> CallLimit:
    return CallLimit(places)


@lru_cache(maxsize=8)
def client_of(api_key: str, base: str, timeout: tuple[float, float]) -> "stripe.StripeClient":
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": base},
        http_client=stripe.RequestsClient(timeout=timeout),
        max_network_retries=2,
    )


def ask[Answer](
    call: "Callable[[stripe.StripeClient], stripe.StripeObject]",
    read: Callable[[Json], Answer],
    *identifiers: str,
) -> Answer:
    """Call Stripe outside any transaction; turn its answer into ours and its errors into ours.
    Raises ValueError if an identifier is empty: the SDK would ask for the list instead."""
    if not all(identifiers):
        msg = "an id of Stripe is empty"
        raise ValueError(msg)
    _refuse_inside_transaction()
    if not is_configured():
        raise ProviderMisconfigured
    client = client_of(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT)
    limit = limit_of(settings.STRIPE_API_BASE, settings.STRIPE_CALLS)
    try:
        with limit.place():
            answer = _answer_to(call, client, limit)
        if answer.get("livemode", is_live()) != is_live():
            logger.error("Stripe answered in the other mode than our key's")
            raise ProviderMisconfigured
        return read(answer)
    except stripe.StripeError as error:
        # Without its cause: that one's words may hold an e-mail address or a link.
        raise _translated(error) from None
    # The SDK itself fails like that on an error that is no object, and so do our readers.
    except UNREADABLE as error:
        logger.error("Stripe's answer can't be read: %s", type(error).__name__)  # noqa: TRY400
        raise ProviderUnavailable from None


def _answer_to(
    call: "Callable[[stripe.StripeClient], stripe.StripeObject]",
    client: "stripe.StripeClient",
    limit: CallLimit,
) -> Json:
    """Call, and note whether anybody answered."""
    try:
        answer: Json = call(client).to_dict()
    except stripe.APIConnectionError:
        limit.breaker.note_silence()
        raise
    except Exception:
        limit.breaker.note_answer()
        raise
    limit.breaker.note_answer()
    return answer


def _translated(error: "stripe.StripeError") -> ProviderError:
    """Log what leads to the request at Stripe and no word of its content; choose our error."""
    logger.error(
        "Stripe: %s, status %s, code %s, request %s",
        type(error).__name__,
        error.http_status,
        error.code,
        error.request_id,
    )
    match error:
        case stripe.AuthenticationError() | stripe.PermissionError():
            return ProviderMisconfigured()
        case stripe.IdempotencyError():
            return KeyUsedOtherwise()
        case stripe.InvalidRequestError() | stripe.CardError():
            # An e-mail address in it would outlast the account.
            words = re.sub(r"\S+@\S+", "…", error.user_message or "")
            return ProviderRefused(error.code or "", error.param or "", words)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return ProviderUnavailable(needs_new_key=headers.get("idempotent-replayed") == "true")


def _refuse_inside_transaction() -> None:
    """Raise RuntimeError inside `transaction.atomic()`. The same rule as Django's own
    `atomic(durable=True)`: the block that a TestCase wraps around a test does not count."""
    for connection in connections.all(initialized_only=True):
        blocks = connection.atomic_blocks
        if blocks and not blocks[-1]._from_testcase:  # type: ignore[attr-defined]  # noqa: SLF001
            msg = "Stripe may not be called inside a database transaction"
            raise RuntimeError(msg)

"""Pages for the buyer: where Stripe's page leads when there is no single-page application, and the
receipt."""

from contextlib import suppress
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from payments.models import MoveSource, Payment, RefundStatus
from payments.provider.types import ProviderError
from payments.services import checkout
from people.models import BlockReason
from people.throttles import limit_status_question
from project.common.errors import Throttled
from project.school.current import current_school


@never_cache
@require_safe
def success(request: HttpRequest, token: UUID) -> HttpResponse:
    """Wait until the payment is settled. The page grants nothing: it only asks."""
    payment = get_object_or_404(Payment.objects.whole().select_related("payer"), token=token)
    return _page(request, "success", payment)


@never_cache
@require_safe
def cancelled(request: HttpRequest, token: UUID) -> HttpResponse:
    """Say that nothing was paid, and where to go on."""
    payment = get_object_or_404(Payment.objects.whole().select_related("payer"), token=token)
    return _page(request, "cancelled", payment)


@never_cache
@require_safe
def status(request: HttpRequest, token: UUID) -> JsonResponse:
    """Tell the waiting page how the payment stands. Whoever knows the token may ask: it stands in
    the address that Stripe sent the buyer to, and nowhere else. Who asks too often is told what is
    stored, with 429."""
    payment = get_object_or_404(Payment.objects.whole(), token=token)
    try:
        # Who asks about their money while the cache is down is answered.
        with suppress(RedisError):
            limit_status_question(request, token=str(token))
    except Throttled as error:
        return JsonResponse(
            {"status": payment.status}, status=429, headers={"Retry-After": str(error.retry_after)}
        )
    # The page asks again; until Stripe answers, what is stored is the best that can be told.
    with suppress(ProviderError):
        payment = checkout.ask_stripe(payment, source=MoveSource.STATUS)
    return JsonResponse({"status": payment.status})


@never_cache
@require_safe
def receipt(request: HttpRequest, token: UUID) -> HttpResponse:
    """What was paid and what was given back. Whoever knows the token may read it: it stands in what
    the buyer got, and nowhere else."""
    paid = Payment.objects.exclude(paid_at=None).select_related("payer")
    payment = get_object_or_404(paid, token=token)
    is_erased = payment.payer.blocked_reason == BlockReason.ERASED
    return _page(
        request,
        "receipt",
        payment,
        buyer="" if is_erased else payment.payer,
        refunds=payment.refunds.filter(status=RefundStatus.SUCCEEDED),
    )


def _page(request: HttpRequest, name: str, payment: Payment, **others: object) -> HttpResponse:
    """The page in the language of the buyer, by the school's clock."""
    context = {"payment": payment, "frontend_url": settings.FRONTEND_URL, **others}
    zone = current_school().zone
    with translation.override(payment.payer.language), timezone.override(zone):
        response = render(request, f"payments/{name}.html", context)
    response["Content-Language"] = payment.payer.language
    response["X-Robots-Tag"] = "noindex"
    return response

"""The buyer's receipt, and the way back of pages at Stripe that an older version opened."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from payments.models import Payment, RefundStatus
from people.models import BlockReason
from project.common.frontend import payment_page
from project.school.current import current_school


@never_cache
@require_safe
def way_back(request: HttpRequest, token: UUID) -> HttpResponse:
    """On to the payment in the front."""
    payment = get_object_or_404(Payment.objects.whole(), token=token)
    return redirect(payment_page(payment.pk))


@never_cache
@require_safe
def receipt(request: HttpRequest, token: UUID) -> HttpResponse:
    """What was paid and what was given back, in the language of the buyer and by the school's clock.
    Whoever knows the token may read it: it stands in what the buyer got, and nowhere else."""
    paid = Payment.objects.exclude(paid_at=None).select_related("payer")
    payment = get_object_or_404(paid, token=token)
    is_erased = payment.payer.blocked_reason == BlockReason.ERASED
    language = payment.payer.language
    context = {
        "payment": payment,
        "payment_page": payment_page(payment.pk),
        "buyer": "" if is_erased else payment.payer,
        "refunds": payment.refunds.filter(status=RefundStatus.SUCCEEDED),
    }
    with translation.override(language), timezone.override(current_school().zone):
        response = render(request, "payments/receipt.html", context)
    response["Content-Language"] = language
    response["X-Robots-Tag"] = "noindex"
    return response

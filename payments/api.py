"""The operations of the payments book."""

from typing import Annotated

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Header, Query, Router, Status
from ninja.pagination import paginate

from lms.api.loaders import viewer
from lms.paginators import PageNumberPagination
from payments import services
from payments.models import Payment
from payments.schemas import IdempotencyKeyText, PaymentFilters, PaymentIn, PaymentOut
from project.common.schemas import Problem

router = Router()


@router.get("", response=list[PaymentOut], summary="List payments")
@paginate(PageNumberPagination)
def list_payments(request: HttpRequest, filters: Query[PaymentFilters]) -> QuerySet[Payment]:
    """The caller's own payments; administrators see all."""
    payments = Payment.objects.visible_to(viewer(request))
    return payments.filter(**filters.conditions()).in_order(filters.ordering)


@router.get("/{int:payment_id}", response=PaymentOut, summary="Read a payment")
def get_payment(request: HttpRequest, payment_id: int) -> Payment:
    """One of the caller's own payments; administrators read all."""
    return get_object_or_404(Payment.objects.visible_to(viewer(request)), pk=payment_id)


@router.post(
    "",
    response={200: PaymentOut, 201: PaymentOut, 404: Problem, 409: Problem},
    summary="Ask to pay for a course or lesson",
)
def create_payment(
    request: HttpRequest,
    payload: PaymentIn,
    idempotency_key: Annotated[
        IdempotencyKeyText | None,
        Header(
            alias="Idempotency-Key",
            description="Made up by the client: a repeat with it gets the first answer.",
        ),
    ] = None,
) -> Status[Payment]:
    """The payment is pending until staff confirm that the money came. 200: one for the same thing
    at the same price was pending already, and this is it.

    A course or lesson that is not on sale for the caller: 404. Free, or a lesson that is not sold
    on its own: 409 `nothing_to_pay`. Paid for (a course covers its lessons) or one's own: 409
    `already_paid`. An `Idempotency-Key` that was used for another body: 409
    `idempotency_key_reused`.
    """
    payment, created = services.request_payment(
        buyer=viewer(request), order=payload.to_order(), idempotency_key=idempotency_key
    )
    return Status(201 if created else 200, payment)

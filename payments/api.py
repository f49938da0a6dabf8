"""The operations of the payments book."""

from typing import Annotated

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Header, Query, Router, Status
from ninja.pagination import paginate

from lms.api.loaders import get_course
from lms.permissions import can_update_course
from lms.statistics import figures_of
from payments import queries
from payments.models import MoveSource, Payment
from payments.permissions import can_cancel, can_see_earnings
from payments.provider.types import (
    InvalidEvent,
    InvalidSignature,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    UnchargeableAmount,
)
from payments.schemas import (
    CourseStatisticsOut,
    IdempotencyKeyText,
    PaymentFilters,
    PaymentIn,
    PaymentOut,
)
from payments.services import checkout, purchase, stripe_events, transitions
from people.current_user import AuthenticatedRequest
from people.throttles import limit_creation, limit_questions
from project.common.api.caching import kept_by_nobody
from project.common.api.openapi import raises
from project.common.api.pagination import PageNumberPagination
from project.common.api.responses import revalidated
from project.common.db.compiled import Row, RowList
from project.common.errors import Throttled

router = Router()
router.add_decorator(kept_by_nobody, mode="view")
# What is told of a course and needs to know of money.
course_router = Router()


@router.get("", response=list[PaymentOut], summary="List payments")
@paginate(PageNumberPagination)
def list_payments(request: AuthenticatedRequest, filters: Query[PaymentFilters]) -> RowList:
    """The caller's own payments; administrators see all."""
    return queries.list_payments(
        request.user, conditions=filters.conditions(), ordering=filters.ordering
    )


@course_router.get(
    "/{int:course_id}/statistics",
    response=CourseStatisticsOut,
    summary="Read how a course is learned and sold",
)
def get_course_statistics(request: AuthenticatedRequest, course_id: int) -> dict[str, object]:
    """Learners, subscribers and completions of each lesson, for those who may change the course;
    payments by state for its author and administrators."""
    course = get_course(request.user, course_id, to=can_update_course)
    sums = Payment.objects.sums_of(course) if can_see_earnings(request.user, course) else None
    return {**figures_of(course)._asdict(), "payments": sums}


@router.get("/{int:payment_id}", response=PaymentOut, summary="Read a payment")
@revalidated
def get_payment(request: AuthenticatedRequest, payment_id: int) -> Row:
    """One of the caller's own payments; administrators read all."""
    return queries.read_payment(request.user, payment_id)


@router.get(
    "/{int:payment_id}/status",
    response=PaymentOut,
    summary="Ask how a payment stands",
)
@raises(Throttled, ProviderError, ProviderBusy)
@revalidated
def get_payment_status(request: AuthenticatedRequest, payment_id: int) -> Payment:
    """A payment that is open at Stripe is asked about there, and what Stripe says is stored.
    429: whoever asks too often; orders and cancellations count, too."""
    limit_questions(request.user)
    payment = get_object_or_404(Payment.objects.visible_to(request.user), pk=payment_id)
    return checkout.ask_stripe(payment, source=MoveSource.STATUS)


@router.post(
    "",
    response={200: PaymentOut, 201: PaymentOut},
    summary="Ask to pay for a course or lesson",
)
@raises(
    Http404,
    purchase.NothingToPay,
    purchase.AlreadyPaid,
    purchase.IdempotencyKeyReused,
    UnchargeableAmount,
    ProviderError,
    ProviderMisconfigured,
    ProviderBusy,
    Throttled,
)
@revalidated
def create_payment(
    request: AuthenticatedRequest,
    payload: PaymentIn,
    idempotency_key: Annotated[
        IdempotencyKeyText | None,
        Header(
            alias="Idempotency-Key",
            description="Made up by the client: a repeat with it, within 30 days, gets the first answer.",
        ),
    ] = None,
) -> Status[Payment]:
    """`stripe`: send the buyer to `payment_url`. `cash`, `transfer`: pending until staff confirm
    that the money came. 200: one for the same thing was open already, and this is it.

    A course or lesson that is not on sale for the caller: 404. Free, or a lesson that is not sold
    on its own: 409 `nothing_to_pay`. What the caller may learn already, by whatever
    right: 409 `already_paid`. An `Idempotency-Key` that was used for another body: 409
    `idempotency_key_reused`. Stripe does not answer: 502, and another try goes on from there.
    It has not answered for a while, or too many wait for it: 503 `payment_provider_busy`, with `Retry-After`.
    Stripe takes no such amount: 409 `unchargeable_amount`; anything else that it refuses: 502, and
    another try does not help.
    """
    limit_questions(request.user)
    limit_creation(request.user, "PAYMENTS")
    payment, created = purchase.request_payment(
        user=request.user,
        order=purchase.Order(**payload.model_dump()),
        idempotency_key=idempotency_key,
    )
    return Status(201 if created else 200, payment)


@router.delete(
    "/{int:payment_id}",
    response={204: None},
    summary="Cancel an order",
)
@raises(PermissionDenied, transitions.IllegalMove, ProviderError, ProviderBusy, Throttled)
def cancel_payment(request: AuthenticatedRequest, payment_id: int) -> Status[None]:
    """Of the caller's own, while it is pending; its page at Stripe is closed first. The payment stays,
    as `cancelled`, and a repeat is 204, too. The money came or is on its way, or the payment is
    settled otherwise: 409 `illegal_move`. Stripe does not answer: 502, and nothing is changed.
    """
    limit_questions(request.user)
    payment = get_object_or_404(Payment.objects.visible_to(request.user), pk=payment_id)
    if not can_cancel(request.user, payment):
        raise PermissionDenied
    checkout.cancel_payment(payment, by=request.user)
    return Status(204, None)


@router.post(
    "/stripe/webhook",
    auth=None,
    response=None,
    summary="Receive an event from Stripe",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}}}}},
)
@raises(InvalidSignature, InvalidEvent)
def receive_stripe_event(
    request: HttpRequest,
    signature: Annotated[
        str, Header(alias="Stripe-Signature", description="Made by Stripe over the raw body.")
    ] = "",
) -> Status[None]:
    """For Stripe only: the signature over the raw body is the authentication. Each event is
    applied once, in any order; a bad signature is 400 `invalid_signature`."""
    stripe_events.receive_event(request.body, signature)
    return Status(200, None)

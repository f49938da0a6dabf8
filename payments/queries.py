"""Payments as the API shows them, row by row; see `lms/queries.py` for why, and PaymentOut in
`payments/schemas.py` for what each value is."""

from typing import Any

from payments.models import Payment
from payments.models.payment import may_be_opened
from people.models import User
from project.common.api.responses import money
from project.common.db.compiled import (
    VIEWER,
    WANTED,
    Listing,
    Role,
    Row,
    Statement,
    placeholder,
    prepared,
    role_of,
    somebody,
    text_placeholder,
)

Item = dict[str, Any]

PAYMENT = (
    "id", "payer_id", "course_id", "lesson_id", "title", "amount", "currency", "method", "status",
    "session_url", "session_expires_at", "created_at", "paid_at",
)  # fmt: skip
# What stands for the value of each filter.
FILTERS: dict[str, Any] = {
    "course_id": placeholder(2),
    "lesson_id": placeholder(3),
    "method": text_placeholder("method"),
    "status": text_placeholder("status"),
}


def list_payments(
    user: User, *, conditions: dict[str, Any], ordering: str, start: int, size: int
) -> tuple[list[Item], int]:
    """A page of the payments that `user` may see and that fulfil the conditions, by field; and
    their number."""
    listing = _payments(role_of(user), ordering, frozenset(conditions))
    values = {VIEWER: user.pk} | {FILTERS[name]: value for name, value in conditions.items()}
    part = listing.part(values, start=start, size=size)
    return [_item(row) for row in part.rows], part.count


def read_payment(user: User, payment_id: int) -> Item | None:
    row = _payment(role_of(user)).first({VIEWER: user.pk, WANTED: payment_id})
    return _item(row) if row else None


@prepared
def _payments(role: Role, ordering: str, filtered: frozenset[str]) -> Listing:
    payments = Payment.objects.visible_to(somebody(role))
    payments = payments.filter(**{name: FILTERS[name] for name in sorted(filtered)})
    return Listing(payments.in_order(ordering), *PAYMENT)


@prepared
def _payment(role: Role) -> Statement:
    payments = Payment.objects.visible_to(somebody(role))
    return Statement(payments.filter(pk=WANTED).order_by(), *PAYMENT)


def _item(row: Row) -> Item:
    (
        payment_id, payer_id, course_id, lesson_id, title, amount, currency, method, status,
        session_url, session_expires_at, created_at, paid_at,
    ) = row  # fmt: skip
    return {
        "id": payment_id,
        "user_id": payer_id,
        "course_id": course_id,
        "lesson_id": lesson_id,
        "title": title,
        "amount": money(amount),
        "currency": currency,
        "method": method,
        "status": status,
        "payment_url": session_url
        if may_be_opened(status, session_url, session_expires_at)
        else None,
        "created_at": created_at,
        "paid_at": paid_at,
    }

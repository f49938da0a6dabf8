"""Payments as the API shows them; compiled once, see `lms/queries.py`."""

from payments.models import Payment
from payments.models.payment import instructions_for, may_be_opened, receipt_address
from people.models import User
from project.common.db.compiled import (
    VIEWER,
    WANTED,
    CompiledList,
    Role,
    Row,
    RowList,
    compiled_once,
    placeholder,
    placeholder_user,
    role_of,
    text_placeholder,
)

PAYMENT = (
    "id", "payer_id", "course_id", "lesson_id", "title", "amount", "refunded_amount", "currency",
    "method", "status", "is_disputed", "session_url", "session_expires_at", "created_at", "paid_at",
    "token",
)  # fmt: skip
# What stands for the value of each filter.
FILTERS: dict[str, int | str] = {
    "course_id": placeholder(2),
    "lesson_id": placeholder(3),
    "method": text_placeholder("method"),
    "status": text_placeholder("status"),
}


def list_payments(user: User, *, conditions: dict[str, int | str], ordering: str) -> RowList:
    """The payments that `user` may see and that fulfil the conditions, by field."""
    payments = _payments(role_of(user), ordering, frozenset(conditions))
    values = {VIEWER: user.pk} | {FILTERS[name]: value for name, value in conditions.items()}
    return RowList(payments, values, _with_addresses)


def payment_history(payer: User) -> RowList:
    """All payments of a person, the newest first."""
    return RowList(_history(), {VIEWER: payer.pk}, _with_addresses)


def read_payment(user: User, payment_id: int) -> Row:
    """A payment that `user` may see. Raises DoesNotExist."""
    row = _payments(role_of(user)).one.get({VIEWER: user.pk, WANTED: payment_id})
    return _with_addresses([row])[0]


@compiled_once
def _payments(
    role: Role, ordering: str = "paid_at", filtered: frozenset[str] = frozenset()
) -> CompiledList:
    payments = Payment.objects.visible_to(placeholder_user(role)).with_is_disputed()
    payments = payments.filter(**{name: FILTERS[name] for name in sorted(filtered)})
    return CompiledList(payments.in_order(ordering), *PAYMENT)


@compiled_once
def _history() -> CompiledList:
    payments = Payment.objects.whole().filter(payer_id=VIEWER).with_is_disputed()
    return CompiledList(payments.newest_first(), *PAYMENT)


def _with_addresses(payments: list[Row]) -> list[Row]:
    for row in payments:
        is_open = may_be_opened(row["status"], row["session_url"], row["session_expires_at"])
        row["payment_url"] = row["session_url"] if is_open else None
        row["instructions"] = instructions_for(row["method"], row["status"])
        row["receipt_url"] = receipt_address(row["status"], row["token"])
    return payments

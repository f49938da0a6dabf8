"""What people do with payments: one module a process."""

from payments.services.purchase import (
    AlreadyPaid,
    IdempotencyKeyReused,
    NothingToPay,
    Order,
    request_payment,
)

__all__ = [
    "AlreadyPaid",
    "IdempotencyKeyReused",
    "NothingToPay",
    "Order",
    "request_payment",
]

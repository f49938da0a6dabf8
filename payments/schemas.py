"""Payments as the API reads and writes them."""

from datetime import datetime

from ninja import Field, Schema

from payments.models import PaymentMethod, PaymentStatus
from project.common.schemas import Money


class PaymentOut(Schema):
    """A payment of one person for exactly one course or lesson. `title`, `amount` and `currency`
    are the ones at the time of purchase."""

    id: int
    user_id: int = Field(validation_alias="payer_id", description="Who pays.")
    course_id: int | None
    lesson_id: int | None
    title: str = Field(examples=["Python from scratch"])
    amount: Money
    currency: str = Field(description="ISO 4217.", examples=["RUB"])
    method: PaymentMethod
    status: PaymentStatus
    payment_url: str | None = Field(
        description="Where to send the buyer; null where there is nothing to open."
    )
    created_at: datetime
    paid_at: datetime | None

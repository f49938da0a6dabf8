"""Payments as the API reads and writes them."""

from datetime import datetime
from typing import Annotated, Literal, Self

from ninja import Field, Schema
from pydantic import GetJsonSchemaHandler, StringConstraints, TypeAdapter, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lms.schemas.authoring import LessonCompletionsOut
from payments.models import PaymentMethod, PaymentStatus
from project.common.api.schemas import Identifier, InputSchema, Money, OutputSchema

PaymentOrdering = Literal["-paid_at", "paid_at", "-amount", "amount"]
# Visible ASCII, as in a token that a client makes up; a UUID is a good one.
IdempotencyKeyText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]


class PaymentFilters(Schema):
    course_id: Identifier | None = Field(None, description="Only payments for this course.")
    lesson_id: Identifier | None = Field(None, description="Only payments for this lesson.")
    method: PaymentMethod | None = Field(None, description="Only payments made like this.")
    status: PaymentStatus | None = Field(None, description="Only payments in this state.")
    ordering: PaymentOrdering = Field(
        "-paid_at", description="`-` for descending. What is not paid comes last either way."
    )

    def conditions(self) -> dict[str, int | str]:
        """The filters that were given, by the name of the model's field."""
        return self.model_dump(mode="json", exclude={"ordering"}, exclude_none=True)


class PaymentOut(OutputSchema):
    """A payment of one person for exactly one course or lesson. `title`, `amount` and `currency`
    are the ones at the time of purchase."""

    id: int
    user_id: int = Field(validation_alias="payer_id", description="Who pays.", examples=[7])
    course_id: int | None = Field(
        description="Either this or `lesson_id`; both are null if it was deleted since.",
        examples=[3],
    )
    lesson_id: int | None = Field(examples=[None])
    title: str = Field(examples=["Bread at home"])
    amount: Money
    refunded_amount: Money = Field(
        description="What was given back so far; while it is a part, the payment stays `paid`."
    )
    currency: str = Field(description="ISO 4217.", examples=["RUB"])
    method: PaymentMethod
    status: PaymentStatus
    is_disputed: bool = Field(
        description="The buyer's bank calls it into question, or has taken the money back."
    )
    payment_url: str | None = Field(
        description="Where to send the buyer; null where there is nothing to open (any more).",
        examples=["https://checkout.stripe.com/c/pay/cs_test_a1"],
    )
    instructions: str | None = Field(
        description="What the school says about paying in cash or by transfer, as plain text.",
        examples=["Account 40817810099910004312; give your name."],
    )
    receipt_url: str | None = Field(
        description="A page to read, print or keep; null unless it is paid, or was refunded since.",
        examples=[None],
    )
    created_at: datetime
    paid_at: datetime | None


class CoursePaymentIn(InputSchema):
    """To pay for a whole course."""

    course_id: Identifier = Field(examples=[3])
    method: PaymentMethod


class LessonPaymentIn(InputSchema):
    """To pay for a single lesson."""

    lesson_id: Identifier = Field(examples=[12])
    method: PaymentMethod


class PaymentIn(InputSchema):
    """What the caller wants to pay for: either a course or a lesson."""

    course_id: Identifier | None = None
    lesson_id: Identifier | None = None
    method: PaymentMethod

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Read as one model, so that what is wrong is said of a field, not of one of two forms."""
        forms = TypeAdapter(CoursePaymentIn | LessonPaymentIn).core_schema
        return {"description": cls.__doc__, "oneOf": handler(forms)["anyOf"]}

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if (self.course_id is None) == (self.lesson_id is None):
            raise PydanticCustomError("not_one_target", "Either a course or a lesson.")
        return self


class PaymentSumOut(OutputSchema):
    """Payments for a course and its lessons that are in the same state."""

    status: PaymentStatus
    currency: str = Field(examples=["RUB"])
    count: int
    amount: Money = Field(
        description="What was asked for or paid: what was given back or lost in disputes is not taken off."
    )


class CourseStatisticsOut(OutputSchema):
    """How a course is learned and sold."""

    learners: int = Field(description="Active people with a right to it or to one of its lessons.")
    subscribers: int
    lessons: list[LessonCompletionsOut]
    payments: list[PaymentSumOut] | None = Field(
        description="null for who may not see them: all but the author and administrators."
    )

"""Types that the schemas of all apps share."""

import re
from decimal import Decimal
from typing import Annotated, Any

from ninja import Schema
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

from project.common.api.responses import picture_shown
from project.common.money import DECIMAL_PLACES, MAX_DIGITS, WHOLE_DIGITS


def _storable(text: str) -> str:
    """Refuse what PostgreSQL can't store: NUL and halves of surrogate pairs."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise PydanticCustomError("unstorable_text", "This text can't be stored.")
    return text


def _plain_decimal(value: object) -> object:
    """Refuse spellings that Python reads as a decimal, but no other program: `1_0`, `1e1`, `٣`."""
    plain = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?|-?NaN|-?Infinity"
    if isinstance(value, str) and re.fullmatch(plain, value) is None:
        raise PydanticCustomError("decimal_parsing", "This must be a decimal number.")
    return value


def _strict_numbers(schema: object) -> None:
    """Refuse `"5"` and `1.0` for a whole number, `"yes"` and `1` for true: JSON has its own."""
    if isinstance(schema, dict):
        if schema.get("type") in ("int", "bool"):
            schema["strict"] = True
        for part in schema.values():
            _strict_numbers(part)
    elif isinstance(schema, list):
        for part in schema:
            _strict_numbers(part)


class OutputSchema(BaseModel):
    """What is written of a row, or of anything else with these attributes. Pydantic's own model:
    Ninja's Schema looks up each value by a function of Python, which takes ten times as long."""

    model_config = ConfigDict(from_attributes=True)


class InputSchema(Schema):
    """A body: a field that is not part of it is refused, so that a typo is never dropped, and a
    value has to be of the JSON type that the OpenAPI document says."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = handler(source)
        _strict_numbers(schema)
        return schema


# Put it last: a length checked after it would report under another code.
STORABLE = AfterValidator(_storable)
Text = Annotated[str, STORABLE]
# One line: what was pasted has breaks and tabs, of which a space is left.
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    STORABLE,
    BeforeValidator(lambda text: " ".join(text.split()) if isinstance(text, str) else text),
]
Search = Annotated[str, StringConstraints(max_length=200), STORABLE]
Identifier = Annotated[int, Field(ge=1, le=2**63 - 1)]
# Money comes in as a decimal string (or a number) and goes out as a string with two places.
Price = Annotated[
    Decimal,
    BeforeValidator(_plain_decimal),
    Field(ge=0, max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": rf"^(0|[1-9][0-9]{{0,{WHOLE_DIGITS - 1}}})(\.[0-9]{{1,{DECIMAL_PLACES}}})?$",
                },
                {"type": "number", "minimum": 0, "maximum": 10**WHOLE_DIGITS - 0.01},
            ],
            "examples": ["1990.00"],
        }
    ),
]
Money = Annotated[
    Decimal,
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\.\d{2}$", "examples": ["1990.00"]}),
]


class PictureOut(OutputSchema):
    """A picture in WebP. Its addresses never lead to another one: they may be kept for ever."""

    url: str = Field(
        description="At most 1600 pixels wide and high; an avatar: 512, square; a logo: 640.",
        examples=["https://school.example/media/courses/0f9a6c2d7b314e58-1600x1200.webp"],
    )
    width: int = Field(ge=1, examples=[1600])
    height: int = Field(ge=1, examples=[1200])
    thumbnail: str = Field(
        description="At most 480 pixels wide and high; of an avatar 96, of a logo 160.",
        examples=["https://school.example/media/courses/0f9a6c2d7b314e58-thumbnail.webp"],
    )


PictureField = Annotated[PictureOut | None, BeforeValidator(picture_shown)]
BlankAsNull = Annotated[str | None, BeforeValidator(lambda text: text or None)]


def omitted() -> Any:
    """Default of a field in a PATCH body: absent means unchanged, and null is refused."""
    return Field(default_factory=lambda: None)


class FieldProblem(Schema):
    """What is wrong with one input value."""

    loc: list[str | int] = Field(examples=[["body", "video_url"]])
    code: str = Field(description="Stable, for programs.", examples=["foreign_link", "no_video"])
    msg: str = Field(
        description="For people, in the language of `Accept-Language`.",
        examples=["Only links to YouTube are allowed here."],
    )


class Problem(Schema):
    """An error as described in RFC 9457. `code` is stable, for programs; `title` and `detail` are
    for people, in the language of `Accept-Language`."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    code: str = Field(description="What went wrong, for programs; each operation names its own.")
    detail: str = Field(examples=["This has been paid for already."])
    errors: list[FieldProblem] = Field(
        default_factory=list, description="Only with 422: one entry per invalid value."
    )

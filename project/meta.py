"""What a front end has to know before anybody has logged in: read from what the rules themselves use."""

from typing import cast

from django.conf import settings
from django.db.models import Field as Column
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import get_language_info
from ninja import Router
from pydantic import Field

from lms.models import Course
from payments.models import PaymentMethod
from payments.services.purchase import offered_methods
from people.models import User
from project.common.api.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from project.common.api.schemas import BlankAsNull, OutputSchema, PictureField
from project.common.images import FORMATS
from project.school.current import current_school
from project.school.models import COLOUR as COLOUR_PATTERN

router = Router()


class LanguageOut(OutputSchema):
    code: str = Field(examples=["ru"])
    name: str = Field(description="As its speakers call it.", examples=["Русский"])


class PageSizeOut(OutputSchema):
    default: int = Field(examples=[DEFAULT_PAGE_SIZE])
    max: int = Field(description="Larger ones are lowered to it.", examples=[MAX_PAGE_SIZE])


class PictureLimitsOut(OutputSchema):
    max_bytes: int = Field(examples=[settings.IMAGE_MAX_BYTES])
    max_pixels: int = Field(examples=[settings.IMAGE_MAX_PIXELS])
    formats: list[str] = Field(examples=[["image/jpeg", "image/png", "image/webp"]])


class TextLimitsOut(OutputSchema):
    """Characters at most."""

    title: int = Field(examples=[200])
    description: int = Field(examples=[20_000])
    name: int = Field(examples=[150])
    city: int = Field(examples=[100])


class SchoolOut(OutputSchema):
    """As administrators describe it."""

    name: str = Field(examples=["Parta"])
    logo: PictureField
    colour: str = Field(
        description="For buttons and the like.",
        pattern=COLOUR_PATTERN,
        examples=["#0f766e"],
    )
    text_colour: str = Field(
        description="Of text on `colour`: white or black, whichever can be read.",
        pattern=COLOUR_PATTERN,
        examples=["#ffffff"],
    )
    email: BlankAsNull = Field(description="Where people can ask.", examples=["desk@oak.example"])
    phone: BlankAsNull = Field(description="As people write it.", examples=["+7 495 123-45-67"])
    address: BlankAsNull = Field(description="Of several lines.", examples=["1 Oak Street\nMoscow"])
    time_zone: str = Field(
        description="Of IANA. Mails, receipts and staff see times in it; in the API all are in UTC.",
        examples=["Europe/Moscow"],
    )


class MetaOut(OutputSchema):
    """The school, and what it allows."""

    school: SchoolOut
    school_name: str = Field(
        description="The same as `school.name`.", deprecated=True, examples=["Parta"]
    )
    languages: list[LanguageOut]
    currency: str = Field(examples=["RUB"])
    payment_methods: list[PaymentMethod]
    page_size: PageSizeOut
    pictures: PictureLimitsOut
    texts: TextLimitsOut
    public_catalog: bool = Field(description="Whether the catalog answers without a token.")
    is_registration_open: bool


@router.get("", auth=None, response=MetaOut, summary="Read what the school is and allows")
def get_meta(request: HttpRequest) -> MetaOut:
    """For whoever asks, logged in or not; the same for all."""
    school = current_school()
    return MetaOut(
        school=SchoolOut.model_validate(school),
        school_name=school.name,
        languages=[
            LanguageOut(code=code, name=get_language_info(code)["name_local"])
            for code, _name in settings.LANGUAGES
        ],
        currency=settings.CURRENCY,
        payment_methods=offered_methods(),
        page_size=PageSizeOut(default=DEFAULT_PAGE_SIZE, max=MAX_PAGE_SIZE),
        pictures=PictureLimitsOut(
            max_bytes=settings.IMAGE_MAX_BYTES,
            max_pixels=settings.IMAGE_MAX_PIXELS,
            formats=[f"image/{kind.lower()}" for kind in FORMATS],
        ),
        texts=TextLimitsOut(
            title=_longest(Course, "title"),
            description=_longest(Course, "description"),
            name=_longest(User, "first_name"),
            city=_longest(User, "city"),
        ),
        public_catalog=settings.PUBLIC_CATALOG,
        is_registration_open=settings.REGISTRATION,
    )


def _longest(model: type[Model], field: str) -> int:
    length: int = cast("Column[str, str]", model._meta.get_field(field)).max_length or 0
    return length

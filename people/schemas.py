"""What goes in and out of the operations on accounts."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from ninja import Schema
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lms.models.visibility import sees_all_content
from lms.permissions import can_create_course
from payments.queries import payment_history
from payments.schemas import PaymentOut
from people.clients import in_words
from people.models import AdminSession, CourseMails, Door, Language, TokenFamily, User
from people.models.fields import LONGEST_PHONE
from people.permissions import can_give_rights
from project.common.api.schemas import (
    STORABLE,
    BlankAsNull,
    InputSchema,
    OutputSchema,
    PictureField,
    Problem,
    Search,
    omitted,
)
from project.common.mailboxes import canonical
from project.mail.refusals import is_reachable

LATEST_PAYMENTS = 20


def _email(text: str) -> str:
    try:
        validate_email(address := canonical(text))
    except ValidationError:
        raise PydanticCustomError("invalid_email", "This is not an email address.") from None
    return address


def _trimmed(text: object) -> object:
    """Make runs of spaces one space, line by line; null is an empty text."""
    if text is None:
        return ""
    if not isinstance(text, str):
        return text
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    STORABLE,
    AfterValidator(_email),
    Field(examples=["anna@school.example"]),
]
# To log in no syntax is asked for: what is no email is nobody's.
Login = Annotated[
    str,
    StringConstraints(max_length=254),
    STORABLE,
    Field(examples=["anna@school.example"]),
]
# Not stripped: spaces are part of a password. The limit only keeps bodies sane.
Password = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1024),
    STORABLE,
    Field(examples=["correct horse battery staple"]),
]
TokenText = Annotated[
    str,
    StringConstraints(max_length=4096),
    STORABLE,
    Field(examples=["eyJhbGciOiJIUzI1NiJ9.e30.s"]),
]
LinkPart = Annotated[str, StringConstraints(max_length=200), STORABLE]


def _or_null(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", **schema}, {"type": "null"}]})


Name = Annotated[
    str,
    StringConstraints(max_length=150),
    STORABLE,
    BeforeValidator(_trimmed),
    _or_null(maxLength=150, examples=["Anna"]),
]
City = Annotated[
    str,
    StringConstraints(max_length=100),
    STORABLE,
    BeforeValidator(_trimmed),
    _or_null(maxLength=100, examples=["Kazan"]),
]
Phone = Annotated[
    str,
    StringConstraints(max_length=LONGEST_PHONE),
    STORABLE,
    BeforeValidator(_trimmed),
    _or_null(
        maxLength=LONGEST_PHONE,
        examples=["+79161234567", "8 (916) 123-45-67"],
        description="In any usual spelling of the school's country or with `+`; kept in E.164.",
    ),
]


class RegistrationIn(InputSchema):
    """A new account."""

    email: Email
    password: Password
    first_name: Name = ""
    last_name: Name = ""
    phone: Phone = ""
    city: City = ""
    language: Language | None = Field(
        None, description="Default: the language of `Accept-Language`."
    )


class CredentialsIn(InputSchema):
    """What a person logs in with."""

    email: Login
    password: Password


class RefreshIn(InputSchema):
    refresh: TokenText


class TokenIn(InputSchema):
    token: TokenText


class TokenPairOut(OutputSchema):
    """Send `access` as `Authorization: Bearer …`; exchange `refresh` when it has expired."""

    access: str = Field(description="Valid for minutes.", examples=["eyJhbGciOiJIUzI1NiJ9.e30.a"])
    refresh: str = Field(
        description="Valid for days, and for one exchange.", examples=["eyJhbGciOiJIUzI1NiJ9.e30.r"]
    )
    expires_in: int = Field(description="Seconds that `access` is good for.", examples=[900])


class AccountBlockedProblem(Problem):
    """403 `account_blocked`: an error that says who blocked the account. Who was away for too long can
    lift the block by `auth/reactivation`."""

    code: Literal["account_blocked"]
    detail: str = Field(examples=["This account is blocked."])
    reason: Literal["inactivity", "staff"]


class PasswordChangeIn(InputSchema):
    old_password: Password
    new_password: Password


class EmailIn(InputSchema):
    email: Email


class LinkIn(InputSchema):
    uid: LinkPart = Field(examples=["7p4zXl3XQ2mFJb0r1o9a8Q"])
    token: LinkPart = Field(examples=["d2x5v1-0f9a…"])


class PasswordResetIn(LinkIn):
    """The parts of the link in the mail, and the new password."""

    new_password: Password


class ReactivationIn(LinkIn):
    """The parts of the link in the mail."""


class EmailConfirmationIn(LinkIn):
    """The parts of the link in the mail."""


class EmailChangeIn(InputSchema):
    """Another address, and the password to show that it is its owner who asks."""

    email: Email
    password: Password


class PublicProfileOut(OutputSchema):
    """What everybody may know about a person."""

    id: int
    first_name: BlankAsNull = Field(examples=["Anna"])
    city: BlankAsNull = Field(examples=["Kazan"])
    avatar: PictureField
    date_joined: datetime


class ProfileAbilitiesOut(OutputSchema):
    """What the caller may do on the platform as a whole."""

    create_course: bool
    moderate: bool = Field(description="See and change everybody's courses and lessons.")
    administer: bool


class ProfileOut(OutputSchema):
    """A person's own profile. Texts that were not given are null."""

    id: int
    email: str = Field(examples=["anna@school.example"])
    first_name: BlankAsNull = Field(examples=["Anna"])
    last_name: BlankAsNull = Field(examples=["Petrova"])
    phone: BlankAsNull = Field(examples=["+79161234567"])
    city: BlankAsNull = Field(examples=["Kazan"])
    avatar: PictureField
    language: Language
    date_joined: datetime
    last_login: datetime | None
    is_moderator: bool
    is_administrator: bool
    is_email_confirmed: bool = Field(
        description="Whether the person has shown that they read what is sent to the email. Until then only "
        "links that confirm it or set a password, and receipts, are sent there."
    )
    is_email_reachable: bool = Field(
        description="False: the mail server refused the email on two days, and nothing is sent there."
    )
    is_listed: bool = Field(description="Whether others find the person in the list of people.")
    course_mails: CourseMails = Field(
        description="How the person hears of updates of the courses they follow: `at_once`, once a day with all"
        " courses in one mail (`daily`), or `never`. A subscription may say otherwise for its course."
    )
    abilities: ProfileAbilitiesOut
    payments: Annotated[
        list[PaymentOut],
        BeforeValidator(lambda payments: payment_history(payments.instance)[:LATEST_PAYMENTS]),
    ] = Field(description=f"The latest {LATEST_PAYMENTS}, newest first; `GET payments` has all.")
    payments_count: Annotated[
        int, BeforeValidator(lambda payments: payment_history(payments.instance).count())
    ] = Field(validation_alias="payments", description="How many there are in all.")

    @model_validator(mode="before")
    @classmethod
    def _ask_the_policies(cls, person: object) -> object:
        if isinstance(person, User):
            vars(person)["is_email_reachable"] = is_reachable(person)
            vars(person)["abilities"] = ProfileAbilitiesOut(
                create_course=can_create_course(person),
                moderate=sees_all_content(person),
                administer=can_give_rights(person),
            )
        return person


class SessionOut(OutputSchema):
    """Where a person is logged in. `device` is in words for people, in the language of the request."""

    id: UUID = Field(examples=["3f0c1c8e-5a43-4a63-9d0e-8a1f4f6c1b22"])
    door: Door = Field(description="`api`: a front end; `admin`: the admin, for staff.")
    device: str = Field(examples=["Firefox on Windows"])
    address: BlankAsNull = Field(examples=["203.0.113.7"])
    begun_at: datetime | None = Field(description="Null if it began before this was recorded.")
    last_used_at: datetime
    is_current: bool = Field(description="Whether the token of this request belongs to it.")

    @classmethod
    def of(cls, session: TokenFamily | AdminSession, *, is_current: bool) -> Self:
        return cls(
            id=session.pk,
            door=Door.ADMIN if isinstance(session, AdminSession) else Door.API,
            device=in_words(session.device),
            address=session.address,
            begun_at=session.begun_at,
            last_used_at=session.last_used_at,
            is_current=is_current,
        )


class ProfileChanges(InputSchema):
    """Changes to a profile: absent fields stay as they are; null or an empty text removes a value."""

    first_name: Name = omitted()
    last_name: Name = omitted()
    phone: Phone = omitted()
    city: City = omitted()
    language: Language = omitted()
    is_listed: bool = omitted()
    course_mails: CourseMails = omitted()


class UserFilters(Schema):
    search: Search = Field("", description="Text in the first name or city.")

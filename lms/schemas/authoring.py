"""What goes in and out of the operations of authors and moderators."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypedDict

from ninja import Schema
from pydantic import AfterValidator, FailFast, Field, StringConstraints, field_validator

from lms.models import AccessSource
from lms.models.materials import DESCRIPTION_MAX_LENGTH
from lms.schemas.materials import (
    COURSE_TITLE,
    LESSON_TITLE,
    PROSE,
    SUMMARY,
    VIDEO,
    DetailsOut,
    OwnerOut,
    Position,
    ProgressOut,
    Video,
)
from lms.videos import LONGEST_PASTE
from project.common.api.schemas import (
    STORABLE,
    BlankAsNull,
    Identifier,
    InputSchema,
    Money,
    OutputSchema,
    PictureField,
    Price,
    Title,
    omitted,
)

Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_MAX_LENGTH), STORABLE, PROSE]
PUBLISHED = (
    "`false`: a draft, which its author and moderators see, and who bought it on its own or was given"
    " it. Nothing is lost: who completed it has done so when it is published again."
)
VideoUrl = Annotated[
    Annotated[
        str, StringConstraints(max_length=LONGEST_PASTE, strip_whitespace=True), STORABLE, VIDEO
    ]
    | None,
    AfterValidator(lambda text: text or ""),
]
VIDEO_URL = Field(
    None,
    validate_default=True,
    description="A video or playlist on YouTube, as people copy it: an address, a text that has one, or "
    "the code for embedding. null: no video.",
)


class EditOptions(Schema):
    notify: bool = Field(default=True, description="`false`: a minor edit, nobody is told.")


class LessonFilters(Schema):
    course_id: Identifier | None = Field(None, description="Only lessons of this course.")


class CourseAbilities(TypedDict):
    """What the caller may do to the course: the answer of the policy that guards it."""

    update: bool
    delete: bool
    add_lesson: bool
    copy: bool


class LessonAbilities(TypedDict):
    """What the caller may do to the lesson: the answer of the policy that guards it."""

    update: bool
    delete: bool


class LessonOut(OutputSchema):
    """A lesson as its author and moderators see it in lists."""

    id: int
    course_id: int
    title: str = LESSON_TITLE
    summary: str = SUMMARY
    preview: PictureField
    video_url: BlankAsNull = VIDEO
    video: Video = Field(
        validation_alias="video_url", description="null if there is nothing to show."
    )
    price: Money | None = Field(description="null: not sold on its own.")
    currency: str = Field(examples=["RUB"])
    position: Position = Field(description="0, 1, 2 … without gaps.")
    is_preview: bool = Field(description="Open to everyone who can see the course.")
    is_published: bool = Field(description=PUBLISHED)
    abilities: LessonAbilities
    created_at: datetime
    updated_at: datetime


class LessonDetailsOut(DetailsOut, LessonOut):
    """A whole lesson as its author and moderators see it."""


class CourseOut(OutputSchema):
    """A course as its author and moderators see it in lists, with all its lessons in order."""

    id: int
    title: str = COURSE_TITLE
    summary: str = SUMMARY
    preview: PictureField
    price: Money = Field(description="`0.00`: free.")
    currency: str = Field(examples=["RUB"])
    is_published: bool
    owner: OwnerOut
    lessons_count: int
    lessons: list[LessonOut]
    is_subscribed: bool = Field(description="Whether the caller hears of updates.")
    abilities: CourseAbilities
    created_at: datetime
    updated_at: datetime


class CourseDetailsOut(DetailsOut, CourseOut):
    """A whole course as its author and moderators see it, with all its lessons in order."""


class CourseIn(InputSchema):
    """A new course."""

    title: Title = COURSE_TITLE
    description: Description = ""
    price: Price = Field(Decimal("0.00"), description="`0.00`: free.")
    is_published: bool = Field(
        default=False, description="A draft is seen by its author and by moderators."
    )


class CourseChanges(InputSchema):
    """Changes of a course; what is absent stays as it is."""

    title: Annotated[Title, COURSE_TITLE] = omitted()
    description: Description = omitted()
    price: Price = omitted()
    is_published: bool = omitted()


class LessonIn(InputSchema):
    """A new lesson."""

    course_id: Identifier
    title: Title = LESSON_TITLE
    description: Description = ""
    video_url: VideoUrl = VIDEO_URL
    price: Price | None = Field(None, description="null: not sold on its own.")
    position: Position | None = Field(
        None, description="The others make room; default, and where there is no such place: last."
    )
    is_preview: bool = Field(default=False, description="Open to everyone who can see the course.")
    is_published: bool = Field(default=True, description=PUBLISHED)


class LessonChanges(InputSchema):
    """Changes of a lesson; what is absent stays as it is."""

    course_id: Identifier = omitted()
    title: Annotated[Title, LESSON_TITLE] = omitted()
    description: Description = omitted()
    video_url: VideoUrl = VIDEO_URL
    price: Price | None = Field(None, description="null: not sold on its own.")
    position: Annotated[
        Position, Field(description="The others make room; greater than the last is the last.")
    ] = omitted()
    is_preview: bool = omitted()
    is_published: Annotated[bool, Field(description=PUBLISHED)] = omitted()


class LessonOrder(InputSchema):
    """The order of the lessons of a course."""

    # Of ten thousand wrong ones the first is told.
    lesson_ids: Annotated[list[Identifier], FailFast()] = Field(
        max_length=10_000,
        description="All lessons of the course, each once.",
        examples=[[12, 10, 11]],
    )


class FieldChangeOut(OutputSchema):
    """A field of a change. Money is a decimal string; of a picture, the name of its file; of an author
    (`owner_id`), who they are in the list of people."""

    name: str = Field(examples=["title"])
    before: str | int | bool | None = Field(
        description="null in what was created.", examples=["Bread"]
    )
    after: str | int | bool | None = Field(
        description="null in what was deleted.", examples=["Bread at home"]
    )

    @field_validator("before", "after", mode="before")
    @classmethod
    def _money(cls, value: object) -> object:
        return f"{value:.2f}" if isinstance(value, Decimal) else value


class ChangeOut(OutputSchema):
    """A change of a course (`lesson_id` null) or of one of its lessons. `lessons` among the fields is
    the order of the lessons: their titles, each on a line."""

    id: str = Field(
        validation_alias="key", description="For `revert_change`.", examples=["lesson-17"]
    )
    at: datetime
    by: OwnerOut | None = Field(description="Who made it; null if that is not known.")
    kind: Literal["created", "changed", "deleted"]
    lesson_id: int | None
    fields: list[FieldChangeOut]


class RightOut(OutputSchema):
    """How somebody got access."""

    source: AccessSource
    lesson_id: int | None = Field(description="null: to the whole course.")
    since: datetime = Field(validation_alias="created_at")


class LearnerOut(OutputSchema):
    """Somebody who learns a course."""

    id: int
    first_name: BlankAsNull = Field(examples=["Anna"])
    progress: ProgressOut
    rights: list[RightOut]


class LessonCompletionsOut(OutputSchema):
    """How many learners have completed a lesson."""

    lesson_id: int = Field(validation_alias="pk")
    title: str = LESSON_TITLE
    completions: int = Field(validation_alias="completions_count")

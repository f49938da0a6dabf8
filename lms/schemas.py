"""What goes in and out of the operations on courses, lessons and subscriptions."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from ninja import Schema
from pydantic import BeforeValidator, FailFast, Field, StringConstraints, field_validator

from lms.models import AccessSource
from lms.models.courses import LAST_POSITION
from lms.models.materials import DESCRIPTION_MAX_LENGTH
from lms.youtube import video_at
from project.common.api.schemas import (
    STORABLE,
    BlankAsNull,
    Identifier,
    InputSchema,
    Money,
    OutputSchema,
    PictureField,
    Price,
    Problem,
    Search,
    Title,
    omitted,
)

COURSE_TITLE = Field(examples=["Bread at home"])
LESSON_TITLE = Field(examples=["Flour and water"])
PROSE = Field(
    description="CommonMark Markdown, as its author wrote it. HTML in it is text.",
    examples=["From *sourdough* to ciabatta."],
)
SUMMARY = Field(
    description="The beginning of the description as plain text, at most 200 characters.",
    examples=["From sourdough to ciabatta."],
)
HTML = Field(
    description="The description, rendered and sanitised.",
    examples=["<p>From <em>sourdough</em> to ciabatta.</p>"],
)
VIDEO = Field(examples=["https://www.youtube.com/watch?v=dQw4w9WgXcQ"])

Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_MAX_LENGTH), STORABLE, PROSE]
VideoUrl = Annotated[
    str,
    StringConstraints(max_length=500, strip_whitespace=True),
    STORABLE,
    VIDEO,
]
NEXT_TO_LEARN = Field(
    description="The first lesson that is not completed and that the caller may learn; null if there"
    " is none."
)
Position = Annotated[int, Field(ge=0, le=LAST_POSITION)]

CourseOrdering = Literal[
    "title", "-title", "created_at", "-created_at", "updated_at", "-updated_at", "price", "-price"
]


class CourseFilters(Schema):
    search: Search = Field(
        "", description="Words of the title, description or author's name, in any order."
    )
    ordering: CourseOrdering = Field("-updated_at", description="`-` for descending.")


class EditOptions(Schema):
    notify: bool = Field(default=True, description="`false`: a minor edit, nobody is told.")


class CatalogFilters(CourseFilters):
    free: bool | None = Field(
        None, description="`true`: free courses, `false`: those with a price."
    )
    mine: bool = Field(default=False, description="`true`: courses the caller has access to.")


class LessonFilters(Schema):
    course_id: Identifier | None = Field(None, description="Only lessons of this course.")


class OwnerOut(OutputSchema):
    """The author of a course."""

    id: int
    first_name: BlankAsNull = Field(examples=["Anna"])


class CourseAbilities(OutputSchema):
    """What the caller may do to the course: the answer of the policy that guards it."""

    update: bool
    delete: bool
    add_lesson: bool


class LessonAbilities(OutputSchema):
    """What the caller may do to the lesson: the answer of the policy that guards it."""

    update: bool
    delete: bool


class DetailsOut(OutputSchema):
    """The text of a course or lesson, which is not in lists."""

    description: str = PROSE
    description_html: str = HTML


class LessonOut(OutputSchema):
    """A lesson as its author and moderators see it in lists."""

    id: int
    course_id: int
    title: str = LESSON_TITLE
    summary: str = SUMMARY
    preview: PictureField
    video_url: BlankAsNull = VIDEO
    price: Money | None = Field(description="null: not sold on its own.")
    currency: str = Field(examples=["RUB"])
    position: Position = Field(description="0, 1, 2 … without gaps.")
    is_preview: bool = Field(description="Open to everyone who can see the course.")
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
    video_url: VideoUrl | None = Field(None, description="A page of YouTube.")
    price: Price | None = Field(None, description="null: not sold on its own.")
    position: Position | None = Field(
        None, description="The others make room; default, and where there is no such place: last."
    )
    is_preview: bool = Field(default=False, description="Open to everyone who can see the course.")


class LessonChanges(InputSchema):
    """Changes of a lesson; what is absent stays as it is."""

    course_id: Identifier = omitted()
    title: Annotated[Title, LESSON_TITLE] = omitted()
    description: Description = omitted()
    video_url: VideoUrl | None = Field(None, description="null: no video.")
    price: Price | None = Field(None, description="null: not sold on its own.")
    position: Annotated[
        Position, Field(description="The others make room; greater than the last is the last.")
    ] = omitted()
    is_preview: bool = omitted()


class LessonOrder(InputSchema):
    """The order of the lessons of a course."""

    # Of ten thousand wrong ones the first is told.
    lesson_ids: Annotated[list[Identifier], FailFast()] = Field(
        max_length=10_000,
        description="All lessons of the course, each once.",
        examples=[[12, 10, 11]],
    )


class SubscriptionState(OutputSchema):
    """Whether the caller hears of updates of the course."""

    course_id: int
    is_subscribed: bool


class SubscriptionOut(OutputSchema):
    """A subscription of the caller."""

    course_id: int
    title: Annotated[str, COURSE_TITLE] = Field(
        validation_alias="course__title", description="Title of the course."
    )
    since: datetime = Field(validation_alias="created_at")


class CatalogLessonOut(OutputSchema):
    """A lesson in the outline of a course, without its contents."""

    id: int
    title: str = LESSON_TITLE
    position: Position
    price: Money | None = Field(description="null: not sold on its own.")
    has_access: bool = Field(description="Whether the caller may learn it.")


class CatalogCourseOut(OutputSchema):
    """A published course as everyone sees it."""

    id: int
    title: str = COURSE_TITLE
    summary: str = SUMMARY
    preview: PictureField
    price: Money = Field(description="`0.00`: free.")
    currency: str = Field(examples=["RUB"])
    owner: OwnerOut
    lessons_count: int
    is_subscribed: bool = Field(description="Whether the caller hears of updates.")
    has_access: bool = Field(description="Whether the caller may learn the whole course.")
    updated_at: datetime


class CatalogCourseDetailsOut(DetailsOut, CatalogCourseOut):
    """A published course with the outline of its lessons."""

    lessons: list[CatalogLessonOut]


class EnrollmentOut(OutputSchema):
    """The right that the caller now has."""

    course_id: int
    has_access: bool


class ProgressOut(OutputSchema):
    """How far the caller has come."""

    completed: int = Field(description="Lessons that are completed.")
    total: int = Field(description="All lessons.")
    percent: int = Field(ge=0, le=100, description="Rounded down; 0 where there is no lesson.")


class CourseNameOut(OutputSchema):
    """The course that a lesson belongs to."""

    id: int
    title: str = COURSE_TITLE


class LearningItemOut(OutputSchema):
    """A course or a single lesson that the caller may learn."""

    course_id: int | None = Field(description="null for a single lesson.")
    lesson_id: int | None = Field(description="null for a whole course.")
    title: str = COURSE_TITLE
    summary: str = SUMMARY
    preview: PictureField
    course: CourseNameOut = Field(description="The course, of a single lesson too.")
    progress: ProgressOut = Field(description="Of the course, or of the single lesson.")
    next_lesson_id: int | None = NEXT_TO_LEARN
    since: datetime = Field(validation_alias="created_at")


class ProgressChangeOut(OutputSchema):
    """How far the caller has come in the course now."""

    progress: ProgressOut
    next_lesson_id: int | None = NEXT_TO_LEARN


class LearningOutlineLessonOut(OutputSchema):
    """A lesson in the outline of a course for its learner."""

    id: int
    title: str = LESSON_TITLE
    position: Position
    preview: PictureField
    is_preview: bool = Field(description="Open to everyone who can see the course.")
    has_access: bool = Field(description="Whether the caller may learn it.")
    is_completed: bool = Field(description="Whether the caller has completed it.")


class LearningCourseOut(OutputSchema):
    """A course with all its lessons in order, for those who may learn something of it."""

    id: int
    title: str = COURSE_TITLE
    summary: str = SUMMARY
    preview: PictureField
    progress: ProgressOut = Field(description="Of all lessons of the course.")
    next_lesson_id: int | None = NEXT_TO_LEARN
    lessons: list[LearningOutlineLessonOut]


class VideoOut(OutputSchema):
    """What a player needs to show a video."""

    provider: Literal["youtube"]
    id: str = Field(description="Of the video or playlist.", examples=["dQw4w9WgXcQ"])
    start: int = Field(description="Seconds from its beginning.")
    embed_url: str = Field(
        description="For a frame; the start is in it.",
        examples=["https://www.youtube.com/embed/dQw4w9WgXcQ"],
    )


Video = Annotated[VideoOut | None, BeforeValidator(video_at)]


class LearningLessonOut(OutputSchema):
    """A whole lesson, for those who have access to it."""

    id: int
    course_id: int
    course: CourseNameOut
    title: str = LESSON_TITLE
    summary: str = SUMMARY
    description: str = PROSE
    description_html: str = HTML
    preview: PictureField
    video_url: BlankAsNull = VIDEO
    video: Video = Field(
        validation_alias="video_url", description="null if there is nothing to show."
    )
    position: Position
    is_preview: bool
    is_completed: bool = Field(description="Whether the caller has completed it.")
    previous_lesson_id: int | None = Field(
        description="The nearest lesson before it that the caller may learn."
    )
    next_lesson_id: int | None = Field(
        description="The nearest lesson after it that the caller may learn."
    )
    updated_at: datetime


class CourseToBuyOut(OutputSchema):
    """The course that the caller has no access to."""

    id: int
    title: str = COURSE_TITLE
    price: Money = Field(description="`0.00`: free, to enrol in.")
    currency: str = Field(examples=["RUB"])


class NoAccessProblem(Problem):
    """403 `no_access`: an error that says which course gives access."""

    code: Literal["no_access"]
    detail: str = Field(examples=["You don't have access to this lesson."])
    course: CourseToBuyOut


class FieldChangeOut(OutputSchema):
    """A field of a change. Money is a decimal string; of a picture, the name of its file."""

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

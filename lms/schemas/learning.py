"""What comes out of the catalog, of learning and of subscriptions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from lms.schemas.materials import (
    COURSE_TITLE,
    HTML,
    LESSON_TITLE,
    PROSE,
    SUMMARY,
    VIDEO,
    CourseFilters,
    DetailsOut,
    OwnerOut,
    Position,
    ProgressOut,
    Video,
)
from people.models import CourseMails
from project.common.api.schemas import (
    BlankAsNull,
    InputSchema,
    Money,
    OutputSchema,
    PictureField,
    Problem,
)

NEXT_TO_LEARN = Field(
    description="The first lesson that is not completed and that the caller may learn; null if there"
    " is none."
)

PUBLISHED = Field(
    description="`false`: a draft, which only its author, moderators and who has a right to this lesson"
    " alone see; no part of the progress."
)


class CatalogFilters(CourseFilters):
    free: bool | None = Field(
        None, description="`true`: free courses, `false`: those with a price."
    )
    mine: bool = Field(default=False, description="`true`: courses the caller has access to.")


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
    course_mails: CourseMails | None = Field(
        description="How the caller hears of updates of this course; null: as their profile says."
    )


class SubscriptionChanges(InputSchema):
    """Changes to a subscription: absent fields stay as they are."""

    course_mails: CourseMails | None = Field(
        None,
        description="`at_once`, `daily` or `never` for this course; null: as the profile says.",
    )


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
    is_published: bool = PUBLISHED
    has_access: bool = Field(description="Whether the caller may learn it.")
    is_completed: bool = Field(description="Whether the caller has completed it.")


class LearningCourseOut(OutputSchema):
    """A course with its lessons in order, for those who may learn something of it. Lessons that are
    not published are among them for its author, for moderators, and for who has a right to them alone."""

    id: int
    title: str = COURSE_TITLE
    summary: str = SUMMARY
    preview: PictureField
    progress: ProgressOut = Field(description="Of all published lessons of the course.")
    next_lesson_id: int | None = NEXT_TO_LEARN
    lessons: list[LearningOutlineLessonOut]


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
    is_published: bool = PUBLISHED
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

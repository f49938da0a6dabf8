"""What the answers about courses and lessons have in common."""

from typing import Annotated, Literal

from ninja import Schema
from pydantic import BeforeValidator, Field

from lms.models.courses import LAST_POSITION
from lms.videos import video_at
from project.common.api.schemas import (
    BlankAsNull,
    OutputSchema,
    Search,
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
Position = Annotated[int, Field(ge=0, le=LAST_POSITION)]
CourseOrdering = Literal[
    "title", "-title", "created_at", "-created_at", "updated_at", "-updated_at", "price", "-price"
]


class CourseFilters(Schema):
    search: Search = Field(
        "", description="Words of the title, description or author's name, in any order."
    )
    ordering: CourseOrdering = Field("-updated_at", description="`-` for descending.")


class OwnerOut(OutputSchema):
    """The author of a course."""

    id: int
    first_name: BlankAsNull = Field(examples=["Anna"])


class DetailsOut(OutputSchema):
    """The text of a course or lesson, which is not in lists."""

    description: str = PROSE
    description_html: str = HTML


class ProgressOut(OutputSchema):
    """How far the caller has come."""

    completed: int = Field(description="Published lessons that are completed.")
    total: int = Field(description="All published lessons.")
    percent: int = Field(ge=0, le=100, description="Rounded down; 0 where there is no lesson.")


class VideoOut(OutputSchema):
    """What a player needs to show a video."""

    provider: Literal["youtube"]
    id: str = Field(
        description="Of the video; of the playlist, if only that is given.",
        examples=["dQw4w9WgXcQ"],
    )
    start: int = Field(description="Seconds from its beginning.")
    embed_url: str = Field(
        description="For a frame; the start and the playlist are in it.",
        examples=["https://www.youtube.com/embed/dQw4w9WgXcQ"],
    )


Video = Annotated[VideoOut | None, BeforeValidator(video_at)]

"""Courses, their lessons, who follows them and who may learn them."""

from lms.models.access import Access, AccessSource, Completion
from lms.models.courses import (
    DESCRIPTION_MAX_LENGTH,
    LAST_POSITION,
    SEARCHED_FIELDS,
    Course,
    Lesson,
)
from lms.models.subscriptions import Subscription
from lms.models.updates import ChangeKind, CourseChange, CourseUpdate, courses_to_tell
from lms.models.visibility import sees_all_content

__all__ = [
    "DESCRIPTION_MAX_LENGTH",
    "LAST_POSITION",
    "SEARCHED_FIELDS",
    "Access",
    "AccessSource",
    "ChangeKind",
    "Completion",
    "Course",
    "CourseChange",
    "CourseUpdate",
    "Lesson",
    "Subscription",
    "courses_to_tell",
    "sees_all_content",
]

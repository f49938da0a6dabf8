"""Courses, their lessons, who follows them and who may learn them."""

from lms.models.access import Access, AccessSource, Completion
from lms.models.courses import DESCRIPTION_MAX_LENGTH, Course, Lesson
from lms.models.subscriptions import Subscription
from lms.models.visibility import sees_all_content

__all__ = [
    "DESCRIPTION_MAX_LENGTH",
    "Access",
    "AccessSource",
    "Completion",
    "Course",
    "Lesson",
    "Subscription",
    "sees_all_content",
]

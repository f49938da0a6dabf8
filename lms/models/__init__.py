"""Courses, their lessons, who follows them and who may learn them."""

from lms.models.access import Access, AccessSource, Completion
from lms.models.courses import Course, Lesson
from lms.models.digests import Digest, DigestCourse, DigestPart
from lms.models.subscriptions import Subscription
from lms.models.updates import ChangeKind, CourseChange, CourseUpdate

__all__ = [
    "Access",
    "AccessSource",
    "ChangeKind",
    "Completion",
    "Course",
    "CourseChange",
    "CourseUpdate",
    "Digest",
    "DigestCourse",
    "DigestPart",
    "Lesson",
    "Subscription",
]

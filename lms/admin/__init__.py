"""Courses and lessons in the admin. Rules are those of the API: policy and services decide."""

from lms.admin.accesses import AccessAdmin
from lms.admin.courses import CourseAdmin
from lms.admin.lessons import LessonAdmin
from lms.admin.pending import PendingUpdateAdmin

__all__ = ["AccessAdmin", "CourseAdmin", "LessonAdmin", "PendingUpdateAdmin"]

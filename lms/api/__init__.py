"""The operations of courses, lessons and subscriptions."""

from lms.api.courses import router as courses_router
from lms.api.lessons import router as lessons_router
from lms.api.subscriptions import router as subscriptions_router

__all__ = ["courses_router", "lessons_router", "subscriptions_router"]

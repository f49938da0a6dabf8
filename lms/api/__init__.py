"""The operations of courses, lessons, subscriptions, the catalog and learning."""

from lms.api import history as _history  # noqa: F401 - adds its operation to the courses
from lms.api.catalog import router as catalog_router
from lms.api.courses import router as courses_router
from lms.api.learning import router as learning_router
from lms.api.lessons import router as lessons_router
from lms.api.subscriptions import router as subscriptions_router

__all__ = [
    "catalog_router",
    "courses_router",
    "learning_router",
    "lessons_router",
    "subscriptions_router",
]

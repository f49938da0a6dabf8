"""The pages of the front end that we send people to; docs/frontend.md is the contract about them."""

from django.conf import settings


def start_page() -> str:
    """Where the courses are that everybody may take."""
    return f"{settings.FRONTEND_URL}/"


def course_page(course_id: int) -> str:
    return f"{settings.FRONTEND_URL}/courses/{course_id}"


def lesson_page(course_id: int, lesson_id: int) -> str:
    return f"{settings.FRONTEND_URL}/learn/{course_id}/{lesson_id}"


def payment_page(payment_id: int) -> str:
    """Where a buyer comes back to from Stripe."""
    return f"{settings.FRONTEND_URL}/payments/{payment_id}"


def profile_page() -> str:
    return f"{settings.FRONTEND_URL}/profile"


def login_page() -> str:
    return f"{settings.FRONTEND_URL}/login"


def password_reset_page(uid: str, token: str) -> str:
    return f"{settings.FRONTEND_URL}/password-reset/{uid}/{token}"


def email_page(uid: str, token: str) -> str:
    """Where an address is confirmed."""
    return f"{settings.FRONTEND_URL}/email/{uid}/{token}"


def reactivation_page(uid: str, token: str) -> str:
    return f"{settings.FRONTEND_URL}/reactivation/{uid}/{token}"

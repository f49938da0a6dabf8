"""Mails to one person, each in their language, as text and HTML.

Templates: `templates/mail/<kind>.subject.txt`, `.txt` and `.html`.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.timesince import timesince

from people.links import password_reset_link, reactivation_link
from people.models import User


def password_reset(user: User) -> EmailMultiAlternatives:
    """The link for a new password; whoever gets this mail may use it once."""
    return _message("password_reset", user, link=password_reset_link(user))


def reactivation(user: User) -> EmailMultiAlternatives:
    """The link that lifts a block for inactivity."""
    return _message("reactivation", user, link=reactivation_link(user))


def _message(kind: str, user: User, **context: Any) -> EmailMultiAlternatives:
    context |= {
        "person": user,
        "site": settings.FRONTEND_URL,
        "language": user.language,
    }
    with translation.override(user.language):
        context["lifetime"] = _lifetime_of_links()
        subject, text, html = (
            render_to_string(f"mail/{kind}.{part}", context)
            for part in ("subject.txt", "txt", "html")
        )
    message = EmailMultiAlternatives(" ".join(subject.split()), text, to=[user.email])
    message.attach_alternative(html, "text/html")
    return message


def _lifetime_of_links() -> str:
    """In words, as in "3 hours"."""
    now = timezone.now()
    return timesince(now, now + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT))

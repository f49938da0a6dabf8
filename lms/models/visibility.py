"""Who sees which courses; the querysets of the models beside it are written with these."""

from typing import Any

from django.db.models import Q


def sees_all_content(user: Any) -> bool:
    """Moderators and administrators see everybody's courses, drafts too."""
    return bool(user.is_superuser or user.is_moderator)


def published_or_own(user: Any, prefix: str = "") -> Q:
    """Courses that are not hidden from this person; `prefix` leads to the course."""
    if sees_all_content(user):
        return Q()
    return Q(**{f"{prefix}is_published": True}) | Q(**{f"{prefix}owner": user})

"""Who sees which courses; the querysets of the models beside it are written with these."""

from django.db.models import Q

from people.models import User


def sees_all_content(user: User) -> bool:
    """Moderators and administrators see everybody's courses, drafts too."""
    return bool(user.is_superuser or user.is_moderator)


def published_or_own(user: User, prefix: str = "") -> Q:
    """Courses that are not hidden from this person; `prefix` leads to the course."""
    if sees_all_content(user):
        return Q()
    return Q(**{f"{prefix}is_published": True}) | Q(**{f"{prefix}owner": user})

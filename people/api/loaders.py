"""The only ways an operation gets hold of an account: looked up and checked at once."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from people.models import User


def get_person(user: User, user_id: int, *, to: Callable[[User, User], bool] | None = None) -> User:
    """Return an account. Raises Http404 if the caller can't see it, PermissionDenied if the policy
    `to` says no."""
    person: User = get_object_or_404(User.objects.visible_to(user), pk=user_id)
    if to is not None and not to(user, person):
        raise PermissionDenied
    return person

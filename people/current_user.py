"""Who is asking."""

from typing import cast

from django.http import HttpRequest

from people.models import User


def current_user(request: HttpRequest) -> User:
    """The person of a request that was let in, by a token or a session: doors that let anybody in
    must not ask."""
    return cast(User, request.user)

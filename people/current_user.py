"""Who is asking."""

from typing import cast

from django.http import HttpRequest

from people.models import User


class AuthenticatedRequest(HttpRequest):
    """A request that was let in by an access token. Only for annotations."""

    user: User


def current_user(request: HttpRequest) -> User:
    """The person of a request that was let in, where the annotation of the request is Django's: in
    the admin, for example."""
    return cast(User, request.user)

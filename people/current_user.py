"""Who is asking."""

from typing import cast
from uuid import UUID

from django.http import HttpRequest

from people.models import User


class AuthenticatedRequest(HttpRequest):
    """A request that was let in by an access token. Only for annotations."""

    user: User
    # The log-in that the token descends from; None where it descends from none.
    family_id: UUID | None


# No row has this number.
NOBODY = 0


def visitor() -> User:
    """Stands for somebody who is not known: a person with no row, to whom nothing belongs."""
    nobody = User(pk=NOBODY)
    nobody.is_moderator = False
    return nobody


def current_user(request: HttpRequest) -> User:
    """The person of a request that was let in, where the annotation of the request is Django's: in
    the admin, for example."""
    return cast(User, request.user)

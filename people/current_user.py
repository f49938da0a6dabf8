"""Who is asking."""

from collections.abc import Callable
from typing import cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from people.models import User


class AuthenticatedRequest(HttpRequest):
    """A request that was let in by an access token. Only for annotations."""

    user: User
    # The log-in that the token descends from; None where it descends from none.
    family_id: UUID | None


class PresenceMiddleware:
    """Notes that staff are here: with the admin open, nobody logs in for weeks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> None:
        if request.resolver_match and request.resolver_match.app_name == "admin":
            user = current_user(request)
            if user.is_authenticated:
                user.note_presence()


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

"""What can go wrong in the domain. An error knows its code and its words, never an HTTP status:
`project/api.py` has the table of statuses, the admin shows the same words as a message."""

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django_stubs_ext import StrOrPromise


class DomainError(Exception):
    """Something a person asked for can't be done. `code` is stable, `message` is translated."""

    code: ClassVar[str] = "error"
    message: "StrOrPromise" = _("This can't be done.")
    # What the problem document says beside; its schema has to name it.
    members: "Mapping[str, object]" = MappingProxyType({})
    # In how many seconds it is worth to try again, where somebody knows.
    retry_after: float | None = None

    def __init__(self, message: "StrOrPromise | None" = None) -> None:
        if message is not None:
            self.message = message
        super().__init__(self.code)

    def __str__(self) -> str:
        return str(self.message)


class Conflict(DomainError):
    """The request contradicts the present state."""

    code = "conflict"
    message = _("This conflicts with the current state.")


class Missing(DomainError):
    """There is no such thing, or this person can't see it: nobody can tell which."""

    code = "not_found"
    message = _("This doesn't exist, or you don't have access to it.")


class Refused(DomainError):
    """The person may see the thing, but not do this to it."""

    code = "permission_denied"
    message = _("You are not allowed to do this.")


class Unauthenticated(DomainError):
    """Nobody can be recognised from what was sent."""

    code = "not_authenticated"
    message = _("A valid access token is required.")


class Throttled(DomainError):
    """Somebody did too much of this, or too many do it now."""

    code = "throttled"
    message = _("Too many requests. Please try again later.")
    retry_after: int

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class PaymentRequired(DomainError):
    """It is to be had, but not for nothing."""

    code = "payment_required"
    message = _("This has to be paid for first.")


class ChangedMeanwhile(DomainError):
    """Somebody changed it since the person who asks last saw it."""

    code = "changed_meanwhile"
    message = _("This has changed since you last loaded it.")

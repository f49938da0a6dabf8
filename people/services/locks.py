"""Lock, re-read, decide: how every service gets hold of the account it changes."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied

from people.errors import AccountErased, InvalidToken
from people.models import BlockReason, User


def lock_account(user_id: int) -> User:
    """Return the account as it is now, held until the transaction ends. Raises DoesNotExist."""
    user: User = User.objects.with_is_moderator().select_for_update().get(pk=user_id)
    return user


def lock_active_account(user: User) -> User:
    """As `lock_account`, of the person who acts. Raises InvalidToken if they were blocked or erased
    since their token was checked: nothing may be written into an erased account."""
    current = lock_account(user.pk)
    if not current.is_active:
        raise InvalidToken
    return current


def lock_for_staff(user: User, *, by: User | None, to: Callable[[User, User], bool]) -> User:
    """As `lock_account`, of a person to whom staff do something; `by` None is the platform itself.
    Raises PermissionDenied if the policy `to` says no, AccountErased."""
    current = lock_account(user.pk)
    if by is not None and not to(by, current):
        raise PermissionDenied
    if current.blocked_reason == BlockReason.ERASED:
        raise AccountErased
    return current


def has_other_administrator(user: User) -> bool:
    """Say whether an active administrator would remain without `user`.

    Holds all of them, so that two of the last can't leave at once. Ask before any other account is
    locked, and decide after `user` is: they may have become an administrator meanwhile.
    """
    administrators = User.objects.active().administrators().order_by("pk")
    return any(other.pk != user.pk for other in administrators.select_for_update())

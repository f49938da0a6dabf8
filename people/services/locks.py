"""Lock, re-read, decide: how every service gets hold of the account it changes."""

from people.errors import InvalidToken
from people.models import User


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


def has_other_administrator(user: User) -> bool:
    """Say whether an active administrator would remain without `user`. Holds all of them, so that
    two of the last administrators can't leave at once."""
    administrators = User.objects.active().filter(is_superuser=True).order_by("pk")
    return any(other.pk != user.pk for other in administrators.select_for_update())

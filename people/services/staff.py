"""Who belongs to the staff: moderators, and the rights that administrators give."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction

from people.errors import AccountErased, LastAdministrator
from people.models import BlockReason, User, moderators_group
from people.permissions import can_give_rights, can_manage
from people.services.locks import has_other_administrator, lock_account


@transaction.atomic
def appoint_moderator(*, user: User, by: User) -> User:
    """Make a person a moderator, who works in the admin. Raises PermissionDenied, AccountErased."""
    user = _locked(user, by=by)
    user.groups.add(moderators_group())
    if not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    return user


@transaction.atomic
def dismiss_moderator(*, user: User, by: User) -> User:
    """End that; whoever has no other rights leaves the admin. Raises PermissionDenied."""
    user = _locked(user, by=by)
    user.groups.remove(moderators_group())
    if user.is_staff and not _has_rights(user):
        user.is_staff = False
        user.save(update_fields=["is_staff"])
    return user


@transaction.atomic
def update_account(*, user: User, by: User, changes: Mapping[str, Any]) -> User:
    """Change fields of another person's account; `is_staff` and `is_superuser` are rights.

    Raises PermissionDenied, LastAdministrator, AccountErased, ValidationError for a field.
    """
    rights = {"is_staff", "is_superuser"}.intersection(changes)
    removes_administrator = changes.get("is_superuser") is False or changes.get("is_staff") is False
    if removes_administrator and user.is_superuser and not has_other_administrator(user):
        raise LastAdministrator
    user = lock_account(user.pk)
    if not can_manage(by, user) or (rights and not can_give_rights(by)):
        raise PermissionDenied
    if user.blocked_reason == BlockReason.ERASED:
        raise AccountErased
    for name, value in changes.items():
        setattr(user, name, value)
    fields = {field.name for field in User._meta.get_fields()}
    user.clean_fields(exclude=fields.difference(changes))
    if changes:
        user.save(update_fields=list(changes))
    return user


def _has_rights(user: User) -> bool:
    return user.is_superuser or user.groups.exists() or user.user_permissions.exists()


def _locked(user: User, *, by: User) -> User:
    if not can_give_rights(by):
        raise PermissionDenied
    user = lock_account(user.pk)
    if user.blocked_reason == BlockReason.ERASED:
        raise AccountErased
    return user

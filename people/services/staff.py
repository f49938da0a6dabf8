"""Who belongs to the staff: roles, and the other rights that administrators give."""

from collections.abc import Iterable, Mapping

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from lms.services import subscriptions
from people.errors import LastAdministrator, NotComeYet
from people.models import CourseMails, User
from people.permissions import can_give_rights, can_manage
from people.services.emails import (
    EMAIL_FIELDS,
    ask_to_confirm,
    save_account,
    tell_former_address,
)
from people.services.locks import has_other_administrator, lock_for_staff
from project.common.mailboxes import compared
from project.common.versions import Expected, check_version


@transaction.atomic
def give_roles(*, user: User, roles: Iterable[Group], by: User) -> User:
    """Make a person a member of these groups, who works in the admin. Raises PermissionDenied,
    AccountErased, NotComeYet: who is invited gets roles by the invitation only, while it is good."""
    user = lock_for_staff(user, by=by, to=lambda by, _person: can_give_rights(by))
    if user.is_awaited:
        raise NotComeYet
    add_roles(user, roles)
    return user


def add_roles(user: User, roles: Iterable[Group]) -> None:
    """The same with an account that is locked."""
    user.groups.add(*roles)
    if not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])


@transaction.atomic
def take_roles(*, user: User, roles: Iterable[Group], by: User) -> User:
    """End that; whoever has no other rights leaves the admin. Raises PermissionDenied,
    AccountErased."""
    user = lock_for_staff(user, by=by, to=lambda by, _person: can_give_rights(by))
    user.groups.remove(*roles)
    has_rights = user.is_superuser or user.groups.exists() or user.user_permissions.exists()
    if user.is_staff and not has_rights:
        user.is_staff = False
        user.save(update_fields=["is_staff"])
        user.admin_sessions.all().delete()
    return user


@transaction.atomic
def update_account(
    *, user: User, by: User, changes: Mapping[str, object], expected: Expected = None
) -> User:
    """Change fields of another person's account; `is_staff` and `is_superuser` are rights. Another
    address is to be confirmed by its owner, and the former one is told.

    Raises PermissionDenied, LastAdministrator, AccountErased, EmailTaken, ValidationError for a
    field, ChangedMeanwhile.
    """
    if not can_give_rights(by) and not changes.keys().isdisjoint({"is_staff", "is_superuser"}):
        raise PermissionDenied
    takes_rights = changes.get("is_superuser") is False or changes.get("is_staff") is False
    another_stays = takes_rights and has_other_administrator(user)
    user = lock_for_staff(user, by=by, to=can_manage)
    check_version(user, expected)
    if takes_rights and user.is_superuser and not another_stays:
        raise LastAdministrator
    former, was_confirmed = user.email, user.is_email_confirmed
    mails_before = CourseMails(user.course_mails)
    changed = user.set_fields(changes)
    if "is_superuser" in changed:
        # Administrators stay away for as long as they like; who is none any more gets a warning.
        user.inactivity_from = timezone.now()
        changed.append("inactivity_from")
    is_other = compared(user.email) != compared(former)
    if is_other:
        user.change_email(user.email, confirmed_at=None)
        changed += EMAIL_FIELDS
    if changed:
        save_account(user, changed)
        subscriptions.follow_choice(user, before=mails_before)
    if is_other:
        if was_confirmed:
            tell_former_address(user, former)
        ask_to_confirm(user)
    if takes_rights:
        user.admin_sessions.all().delete()
    return user

"""Accounts that staff make for others, who choose their own password by a link in a mail."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from people.errors import EmailTaken, InvalidLink, NotInvited
from people.models import BlockReason, Invitation, User
from people.one_time_links import is_token_of, named_by
from people.permissions import can_erase, can_give_rights, can_invite, can_invite_again
from people.services.blocks import UNBLOCK_FIELDS
from people.services.emails import save_account
from people.services.locks import lock_account, lock_for_staff
from people.services.passwords import checked_hash
from people.services.staff import add_roles
from project.mail.services import send_to_one

MAIL = "invitation"


@transaction.atomic
def invite(
    *, email: str, profile: Mapping[str, Any], roles: Collection[Group] = (), by: User
) -> User:
    """Make an account without a password, and mail its person a link to choose one. They have these
    roles once they have come.

    Raises PermissionDenied, ValidationError for a field, EmailTaken, EnoughForToday.
    """
    if not can_invite(by) or (roles and not can_give_rights(by)):
        raise PermissionDenied
    user = User(email=email, **profile)
    user.set_unusable_password()
    user.clean_fields(exclude={"password"})
    if User.objects.by_email(user.email).exists():
        raise EmailTaken
    save_account(user)
    invitation = Invitation.objects.create(user=user, invited_by=by, sent_at=timezone.now())
    invitation.roles.set(roles)
    send_to_one(MAIL, user)
    return user


@transaction.atomic
def invite_again(*, user: User, by: User) -> User:
    """Send a new link, which ends those before. Raises PermissionDenied, NotInvited, AccountErased,
    EnoughForToday."""
    user = lock_for_staff(user, by=by, to=can_invite_again)
    invitation = _awaiting(user)
    invitation.invited_by, invitation.sent_at = by, timezone.now()
    invitation.save(update_fields=["invited_by", "sent_at"])
    send_to_one(MAIL, user)
    return user


@transaction.atomic
def withdraw(*, user: User, by: User) -> None:
    """End the link, and delete the account if nobody was in it yet, unless a payment needs it.
    Raises PermissionDenied, NotInvited, AccountErased."""
    user = lock_for_staff(user, by=by, to=can_erase)
    _awaiting(user).delete()
    if user.has_usable_password():
        return
    # A payment that was entered for them keeps the account.
    with suppress(ProtectedError), transaction.atomic():
        user.delete()


def invitation_of_link(uid: str, token: str) -> Invitation:
    """Return the invitation that the link is about, which may be expired or accepted. Raises
    InvalidLink if it was withdrawn, or sent anew, if staff has blocked the account, or if who sent
    it may no longer give the roles."""
    people = User.objects.filter(named_by(uid), blocked_reason__in=["", BlockReason.INACTIVITY])
    found = Invitation.objects.select_related("user", "invited_by").filter(user__in=people)
    invitation = found.first()
    if invitation is None or not is_token_of(invitation, token):
        raise InvalidLink
    by = invitation.invited_by
    if invitation.roles.exists() and (by is None or not can_give_rights(by)):
        raise InvalidLink
    return invitation


def accept(*, uid: str, token: str, new_password: str) -> User:
    """Let the person of the link in, with a password of their own and the roles that waited. It
    confirms that the address is theirs.

    Raises InvalidLink, also when it is expired or was used, and ValidationError of `new_password`.
    """
    user = _open(uid, token).user
    encoded = checked_hash(new_password, user=user, field="new_password")
    with transaction.atomic():
        invitation = _lock(user, uid, token)
        user = invitation.user
        user.set_password_hash(encoded)
        user.inactivity_from = timezone.now()
        if user.blocked_reason == BlockReason.INACTIVITY:
            user.unblock()
        user.email_confirmed_at = timezone.now()
        user.save(
            update_fields=["password", "token_version", "email_confirmed_at", *UNBLOCK_FIELDS]
        )
        if roles := list(invitation.roles.all()):
            add_roles(user, roles)
        invitation.accepted_at = timezone.now()
        invitation.save(update_fields=["accepted_at"])
    return user


def _lock(user: User, uid: str, token: str) -> Invitation:
    """The invitation as it is now, its account held until the transaction ends."""
    try:
        current = lock_account(user.pk)
    except User.DoesNotExist:
        raise InvalidLink from None  # just withdrawn
    invitation = _open(uid, token)
    invitation.user = current
    return invitation


def _open(uid: str, token: str) -> Invitation:
    invitation = invitation_of_link(uid, token)
    if invitation.accepted_at or invitation.is_expired:
        raise InvalidLink
    return invitation


def _awaiting(user: User) -> Invitation:
    if not user.is_awaited:
        raise NotInvited
    invitation: Invitation = user.invitation
    return invitation

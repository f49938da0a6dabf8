"""Links that a person gets by mail: each works once, for `PASSWORD_RESET_TIMEOUT`.

The addresses are pages of the front end, and what they carry is what the `…/confirm` operations take; those for the staff are pages of the application itself. An invitation lives longer.
"""

from datetime import datetime
from typing import override
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.signing import BadSignature, Signer
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from people.models import Invitation, User
from project.common.frontend import email_page, password_reset_page, reactivation_page

UID_BYTES = 16


type State = tuple[object, ...]


class LinkTokenGenerator(PasswordResetTokenGenerator):
    """Makes tokens that end with any change of the password, of the block or of the e-mail.

    While nobody has shown that the address is theirs, with its confirmation and a change of it only:
    who registered somebody else's address must not end the links that its owner gets.

    Not with `last_login`, as Django's own do: there it stands for a log-in with the password, here
    an app in the person's pocket sets it too whenever it refreshes its tokens.
    """

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.key_salt = f"people.links.{purpose}"

    @override
    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        assert isinstance(user, User)  # noqa: S101 - for the type checker
        return "|".join(map(str, (*self.state_of(user), timestamp)))

    def state_of(self, user: User) -> State:
        """What the token ends with, when it changes."""
        return _entrance(user, user.email) if user.is_email_confirmed else (user.pk, user.email)

    @override
    def _now(self) -> datetime:
        """In UTC: local time jumps twice a year, and a link would live an hour more or less."""
        return timezone.now().replace(tzinfo=None)


class EmailChangeTokenGenerator(LinkTokenGenerator):
    """Makes tokens for the address that is to take the place of the present one."""

    @override
    def state_of(self, user: User) -> State:
        return _entrance(user, user.new_email)


def _entrance(user: User, email: str) -> State:
    """How the account is entered, and by which address."""
    blocked_at = user.blocked_at.isoformat() if user.blocked_at else ""
    return user.pk, user.password, user.token_version, email, user.is_active, blocked_at


password_reset_tokens = LinkTokenGenerator("password_reset")
email_tokens = LinkTokenGenerator("email")
email_change_tokens = EmailChangeTokenGenerator("email_change")
reactivation_tokens = LinkTokenGenerator("reactivation")


def password_reset_link(user: User) -> str:
    """To a page of the front end; for the staff, to one of the application itself, where they work."""
    token = password_reset_tokens.make_token(user)
    if user.is_staff:
        return _own_page("admin_password_link", _uid(user), token)
    return password_reset_page(_uid(user), token)


def invitation_link(invitation: Invitation) -> str:
    token = _invitation_signer().signature(invitation.state)
    return _own_page("admin_invitation_link", _uid(invitation.user), token)


def is_token_of(invitation: Invitation, token: str) -> bool:
    """Say whether the token is that of the latest mail about the invitation, however old."""
    try:
        _invitation_signer().unsign(f"{invitation.state}:{token}")
    except BadSignature:
        return False
    return True


def _invitation_signer() -> Signer:
    return Signer(salt="people.links.invitation")


def _own_page(name: str, *parts: str) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=parts)}"


def email_link(user: User) -> str:
    return email_page(_uid(user), email_tokens.make_token(user))


def email_change_link(user: User) -> str:
    return email_page(_uid(user), email_change_tokens.make_token(user))


def reactivation_link(user: User) -> str:
    return reactivation_page(_uid(user), reactivation_tokens.make_token(user))


def named_by(uid: str) -> Q:
    """Return what the account that the `uid` of a link names is filtered by; nobody if it names none."""
    try:
        name = urlsafe_base64_decode(uid)
        if len(name) == UID_BYTES:
            return Q(identity=UUID(bytes=name))
        # Of the release before: the number. The token in the link fits no other account, for it is
        # made of the hash of the password as well.
        return Q(pk=int(name.decode("ascii")))
    except ValueError:
        return Q(pk=None)


def _uid(user: User) -> str:
    return urlsafe_base64_encode(user.identity.bytes)

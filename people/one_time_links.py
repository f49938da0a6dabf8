"""Links that a person gets by mail: each works once, for `PASSWORD_RESET_TIMEOUT`.

The addresses are pages of the front end, and what they carry is what the two `…/confirm` operations
take; those for the staff are pages of the application itself. An invitation lives longer.
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
from project.common.frontend import password_reset_page, reactivation_page

UID_BYTES = 16


class LinkTokenGenerator(PasswordResetTokenGenerator):
    """Makes tokens that end with any change of the password, of the block or of the e-mail.

    Not with `last_login`, as Django's own do: there it stands for a log-in with the password, here
    an app in the person's pocket sets it too whenever it refreshes its tokens.
    """

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.key_salt = f"people.links.{purpose}"

    @override
    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        assert isinstance(user, User)  # noqa: S101 - for the type checker
        blocked_at = user.blocked_at.isoformat() if user.blocked_at else ""
        state = (
            user.pk,
            user.password,
            user.token_version,
            user.email,
            user.is_active,
            blocked_at,
            timestamp,
        )
        return "|".join(map(str, state))

    @override
    def _now(self) -> datetime:
        """In UTC: local time jumps twice a year, and a link would live an hour more or less."""
        return timezone.now().replace(tzinfo=None)


password_reset_tokens = LinkTokenGenerator("password_reset")
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

"""Changing a password: with the old one, with a link that comes by mail, or by `manage.py csu`."""

from secrets import token_hex

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people import tokens
from people.clients import Client
from people.errors import InvalidLink, NotAdministrator
from people.hashers import composed, hash_of
from people.login_queue import turn
from people.mails import PasswordResetMail
from people.models import Invitation, TokenFamily, User
from people.one_time_links import named_by, password_reset_tokens
from people.permissions import can_manage
from people.services.locks import lock_account, lock_for_staff
from people.tokens import NOWHERE, TokenPair
from project.common.background.queue import enqueue
from project.mail.limits import forget_count
from project.mail.services import send_to_one


def change_password(
    *, user: User, old_password: str, new_password: str, client: Client = NOWHERE
) -> TokenPair:
    """Give the account a new password and end all its tokens; return the first new ones.

    Raises ValidationError of `old_password` or `new_password`; Throttled if too many log in.
    """
    with turn():
        if not user.check_password(old_password):
            raise wrong_password("old_password")
        encoded = checked_hash(new_password, user=user, field="new_password")
    with transaction.atomic():
        current = lock_account(user.pk)
        if current.token_version != user.token_version:
            raise wrong_password("old_password")  # changed meanwhile
        current.set_password_hash(encoded)
        current.save(update_fields=["password", "token_version"])
        TokenFamily.objects.filter(user=current).delete()
        return tokens.issue_pair(current, client=client)


def request_password_reset(*, email: str) -> None:
    """Send a link for a new password, if there is such an account.

    Does the same work if there is none, so that nothing tells the two apart.
    """
    account = User.objects.by_email(email).not_erased().values_list("pk", flat=True).first()
    enqueue("people.tasks.send_password_reset_mail", account, token_hex(16))


def account_of_link(uid: str, token: str) -> User:
    """Return whose password the link sets. Raises InvalidLink."""
    user: User | None = User.objects.not_erased().filter(named_by(uid)).first()
    if user is None or not password_reset_tokens.check_token(user, token):
        raise InvalidLink
    return user


@transaction.atomic
def send_password_reset(*, user: User, by: User) -> None:
    """Send a person a link for a new password, at the wish of staff. Raises PermissionDenied,
    AccountErased, EnoughForToday."""
    send_to_one("password_reset", lock_for_staff(user, by=by, to=can_manage))


def confirm_password_reset(*, uid: str, token: str, new_password: str) -> User:
    """Give the account of a link a new password and end all its tokens; return the account. Its
    address is confirmed: whoever has the link reads what is sent there.

    A block stays: the new password lets nobody in whom staff has blocked.
    Raises InvalidLink, ValidationError of `new_password` (the link stays good then).
    """
    user = account_of_link(uid, token)
    encoded = checked_hash(new_password, user=user, field="new_password")
    with transaction.atomic():
        user = lock_account(user.pk)
        if not password_reset_tokens.check_token(user, token):
            raise InvalidLink
        user.set_password_hash(encoded)
        user.inactivity_from = timezone.now()
        user.email_confirmed_at = user.email_confirmed_at or timezone.now()
        user.save(
            update_fields=["password", "token_version", "inactivity_from", "email_confirmed_at"]
        )
        # They have come. Roles are given to who comes by the invitation alone.
        open_ones = Invitation.objects.filter(user=user, accepted_at=None, roles=None)
        open_ones.update(accepted_at=timezone.now())
        forget_count(user.email, PasswordResetMail.counts_as)
    return user


def reset_password(*, user: User, password: str) -> User:
    """Give an administrator a new password and end all their tokens; a block stays. Raises
    ValidationError of `password`, NotAdministrator."""
    encoded = checked_hash(password, user=user, field="password")
    with transaction.atomic():
        user = lock_account(user.pk)
        if not user.is_superuser:
            raise NotAdministrator  # erased or dismissed meanwhile
        user.set_password_hash(encoded)
        user.save(update_fields=["password", "token_version"])
    return user


def checked_hash(password: str, *, user: User, field: str) -> str:
    """Return the hash of a new password. It takes long: call it before accounts are locked. Raises
    ValidationError of `field` if Django's validators refuse the password."""
    try:
        validate_password(composed(password), user=user)
    except ValidationError as error:
        raise ValidationError({field: error}) from None
    return hash_of(password)


def wrong_password(field: str) -> ValidationError:
    """The error of a field that is to have the present password."""
    wrong = ValidationError(_("This is not your current password."), code="password_incorrect")
    return ValidationError({field: wrong})

"""Showing that an address is one's own, and having another one instead (docs/rules.md, 2.15 to 2.17)."""

from collections.abc import Collection
from contextlib import suppress

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from people.errors import EmailTaken, InvalidLink
from people.login_queue import turn
from people.mails import EmailConfirmationMail
from people.models import BlockReason, User
from people.one_time_links import email_change_tokens, email_tokens, named_by
from people.permissions import can_manage
from people.services.blocks import UNBLOCK_FIELDS
from people.services.locks import lock_active_account, lock_for_staff
from people.services.passwords import wrong_password
from project.common.mailboxes import compared
from project.mail.limits import EnoughForToday, forget_count
from project.mail.services import send_to_one

EMAIL_FIELDS = ["email", "new_email", "email_confirmed_at"]


def save_account(user: User, fields: Collection[str] | None = None) -> None:
    """Save the account, or these fields of it. Raises EmailTaken."""
    try:
        with transaction.atomic():
            user.save(update_fields=fields)
    except IntegrityError:
        if _is_taken(user.email, user):
            raise EmailTaken from None
        raise


def ask_to_confirm(user: User) -> None:
    """Send the link that confirms the address, unless that got one today. For a transaction."""
    with suppress(EnoughForToday):
        send_to_one("email_confirmation", user)


@transaction.atomic
def request_confirmation(*, user: User) -> None:
    """Send the person the link once more, unless the address is confirmed. Raises EnoughForToday."""
    user = lock_active_account(user)
    if not user.is_email_confirmed:
        send_to_one("email_confirmation", user)


@transaction.atomic
def confirm_email(*, uid: str, token: str) -> None:
    """Confirm the address that the link was sent to, or make it that of the account. Raises
    InvalidLink, EmailTaken."""
    user = User.objects.not_erased().filter(named_by(uid)).select_for_update().first()
    if user is None:
        raise InvalidLink
    if not user.is_email_confirmed and email_tokens.check_token(user, token):
        _confirm(user)
    elif user.new_email and email_change_tokens.check_token(user, token):
        _change(user)
    else:
        raise InvalidLink
    forget_count(user.email, EmailConfirmationMail.counts_as)


def _confirm(user: User) -> None:
    user.email_confirmed_at = timezone.now()
    # This link was sent in the place of the one that lifts such a block.
    if user.blocked_reason == BlockReason.INACTIVITY:
        user.unblock()
    user.save(update_fields=[*UNBLOCK_FIELDS, "email_confirmed_at"])


def _change(user: User) -> None:
    user.change_email(user.new_email, confirmed_at=timezone.now())
    save_account(user, EMAIL_FIELDS)
    LogEntry.objects.log_actions(user.pk, [user], CHANGE, [{"changed": {"fields": ["email"]}}])


def request_change(*, user: User, email: str, password: str) -> None:
    """Send a link to another address, which becomes that of the account when the link is confirmed,
    and tell the present address. The present one itself withdraws what was asked for before.

    Raises ValidationError of `email` or `password`, EmailTaken, EnoughForToday; Throttled if too many
    log in.
    """
    email = User.objects.normalize_email(email)
    try:
        User._meta.get_field("email").run_validators(email)
    except ValidationError as error:
        raise ValidationError({"email": error}) from None
    with turn():
        if not user.check_password(password):
            raise wrong_password("password")
    with transaction.atomic():
        current = lock_active_account(user)
        if current.token_version != user.token_version:
            raise wrong_password("password")  # changed meanwhile
        if _is_taken(email, current):
            raise EmailTaken
        is_present = compared(email) == compared(current.email)
        current.new_email = "" if is_present else email
        current.save(update_fields=["new_email"])
        if not is_present:
            send_to_one("email_change", current, other_address=email)
            if current.is_email_confirmed:
                tell_former_address(current, current.email)


def tell_former_address(user: User, address: str) -> None:
    """Tell an address that was confirmed that another one takes its place. For a transaction."""
    send_to_one("email_change_notice", user, other_address=address)


@transaction.atomic
def send_confirmation(*, user: User, by: User) -> None:
    """Send the link once more, at the wish of staff. Raises PermissionDenied, AccountErased,
    EnoughForToday."""
    user = lock_for_staff(user, by=by, to=can_manage)
    if not user.is_email_confirmed:
        send_to_one("email_confirmation", user)


@transaction.atomic
def confirm_by_staff(*, user: User, by: User) -> User:
    """Take the school's word that the address is the person's. Raises PermissionDenied,
    AccountErased."""
    user = lock_for_staff(user, by=by, to=can_manage)
    if not user.is_email_confirmed:
        user.email_confirmed_at = timezone.now()
        user.save(update_fields=["email_confirmed_at"])
    return user


def _is_taken(email: str, user: User) -> bool:
    return bool(User.objects.by_email(email).exclude(pk=user.pk).exists())

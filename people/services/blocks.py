"""Taking access away, and the ways back."""

from secrets import token_hex

from django.db import transaction
from django.utils import timezone

from payments.services.transitions import close_needless_soon
from people.errors import InvalidLink, LastAdministrator
from people.mails import BLOCKED, UNBLOCKED
from people.models import BlockNotice, BlockReason, User
from people.one_time_links import named_by, reactivation_tokens
from people.permissions import can_block
from people.services.locks import has_other_administrator, lock_for_staff
from project.common.background.queue import enqueue
from project.mail.services import send_to_one

BLOCK_FIELDS = ["is_active", "blocked_at", "blocked_reason", "token_version"]
UNBLOCK_FIELDS = ["is_active", "blocked_at", "blocked_reason", "inactivity_from"]


@transaction.atomic
def block(
    *, user: User, by: User | None, reason: BlockReason = BlockReason.STAFF, told: str = ""
) -> User:
    """Refuse a person at once, with every token they hold; `by` None is the platform itself. `told`
    is why, in the words that the person gets by mail; empty: none.

    Blocking who is blocked gives the new reason. Raises LastAdministrator, PermissionDenied,
    AccountErased.
    """
    another_stays = by is None or (user.is_superuser and has_other_administrator(user))
    user = lock_for_staff(user, by=by, to=can_block)
    if user.is_superuser and not another_stays:
        raise LastAdministrator
    is_news = not user.is_blocked_by_staff
    user.block(reason)
    user.save(update_fields=BLOCK_FIELDS)
    close_needless_soon(user)
    if is_news:  # for the person; a form that was sent twice is none
        _tell(user, by, told)
    return user


@transaction.atomic
def unblock(*, user: User, by: User | None, told: str = "") -> User:
    """Let a person in again, with a new log-in; `told` as of `block`. Raises PermissionDenied, AccountErased."""
    user = lock_for_staff(user, by=by, to=can_block)
    if not user.is_active:
        user.unblock()
        user.save(update_fields=UNBLOCK_FIELDS)
        _tell(user, by, told)
    return user


def _tell(user: User, by: User | None, told: str) -> None:
    if told:
        notice = BlockNotice.objects.create(
            person=user, by=by, is_blocked=not user.is_active, reason=told
        )
        kind = BLOCKED if notice.is_blocked else UNBLOCKED
        send_to_one(kind, user, subject_id=notice.pk, key=str(notice.pk))


def request_reactivation(*, email: str) -> None:
    """Send a link that lifts the block, if the account was blocked for inactivity.

    Does the same work if it was not, so that nothing tells the two apart.
    """
    accounts = User.objects.by_email(email).blocked_for_inactivity()
    account = accounts.values_list("pk", flat=True).first()
    enqueue("people.tasks.send_reactivation_mail", account, token_hex(16))


@transaction.atomic
def confirm_reactivation(*, uid: str, token: str) -> None:
    """Lift the block of the account of a link, and confirm its address. Raises InvalidLink."""
    found = User.objects.blocked_for_inactivity().filter(named_by(uid))
    user = found.select_for_update().first()
    if user is None or not reactivation_tokens.check_token(user, token):
        raise InvalidLink
    user.unblock()
    user.email_confirmed_at = user.email_confirmed_at or timezone.now()
    user.save(update_fields=[*UNBLOCK_FIELDS, "email_confirmed_at"])

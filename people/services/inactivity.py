"""The inactivity sweep (docs/rules.md, 5.4): a warning first, the block a week later.

The rule of the block looks at the last sign of life only: who could not be warned, because the sweep
or the mail server stood still that week, is blocked all the same, and gets in again by a mail. Each
step is one short transaction over a batch, asks again under the lock, and passes over rows that
somebody holds (a log-in at this moment), so the sweep may run twice and from two workers at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from people.models import BlockReason, User
from people.models.querysets import LAST_SEEN, UserQuerySet
from people.permissions import can_manage
from people.services.locks import lock_for_staff
from project.mail.recipients import add_recipients
from project.mail.services import open_mailing, start_delivery

# Accounts that one statement locks.
BATCH = 5000


@dataclass(frozen=True)
class SweepResult:
    """How many accounts, and whether there was time for all."""

    warned: int
    blocked: int
    finished: bool


def sweep(*, seconds: float = float("inf"), at: datetime | None = None) -> SweepResult:
    """Block and warn whoever is due, batch by batch, for at most so many seconds."""
    at = at or timezone.now()
    deadline = time.monotonic() + seconds
    blocked = _until_done(block_batch, at, deadline)
    warned = _until_done(warn_batch, at, deadline)
    if warned:
        start_delivery()
    return SweepResult(warned, blocked, finished=time.monotonic() < deadline)


def warning_ahead() -> timedelta:
    """How long before the block the warning is sent: a week, or half of a very short period."""
    return min(timedelta(weeks=1), settings.INACTIVITY_PERIOD / 2)


@transaction.atomic
def keep_account(*, user: User, by: User, reason: str) -> User:
    """Have the sweep leave a person alone, however long they stay away. Raises PermissionDenied,
    AccountErased."""
    user = lock_for_staff(user, by=by, to=can_manage)
    user.keep(reason)
    user.save(update_fields=["kept_at", "kept_reason"])
    return user


@transaction.atomic
def stop_keeping(*, user: User, by: User) -> User:
    """Have inactivity count again, from now on. Raises PermissionDenied, AccountErased."""
    user = lock_for_staff(user, by=by, to=can_manage)
    if user.kept_at:
        user.stop_keeping()
        user.save(update_fields=["kept_at", "kept_reason", "inactivity_from"])
    return user


def _until_done(step: Callable[[datetime], int], at: datetime, deadline: float) -> int:
    total = 0
    while time.monotonic() < deadline and (count := step(at)):
        total += count
    return total


@transaction.atomic
def block_batch(at: datetime) -> int:
    """Block some of those who were not here for INACTIVITY_PERIOD."""
    people = _locked(User.objects.not_seen_since(at - settings.INACTIVITY_PERIOD))
    return people.update(
        is_active=False,
        blocked_at=at,
        blocked_reason=BlockReason.INACTIVITY,
        token_version=F("token_version") + 1,
    )


@transaction.atomic
def warn_batch(at: datetime) -> int:
    """Warn some of those who will be blocked soon and were not told since they were last here. The
    warning is remembered and put into the outbox together."""
    blocked_before = at - settings.INACTIVITY_PERIOD
    soon = User.objects.not_seen_since(blocked_before + warning_ahead(), after=blocked_before)
    people = _locked(soon.not_warned().exclude(email_confirmed_at=None))
    count = people.update(warned_at=at)
    if count:
        mailing = open_mailing("inactivity_warning", timezone.localtime(at).date().isoformat())
        add_recipients(mailing, people, "pk")
    return count


def _locked(people: UserQuerySet) -> UserQuerySet:
    """A batch of them, locked until the transaction ends; nobody who is held."""
    # In the order of the partial index: by primary key each batch would read the whole table.
    batch = people.order_by(LAST_SEEN).select_for_update(skip_locked=True)
    keys = list(batch.values_list("pk", flat=True)[:BATCH])
    return cast(UserQuerySet, User.objects.filter(pk__in=keys))

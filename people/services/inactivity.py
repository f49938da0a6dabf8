"""The inactivity sweep (docs/rules.md, 5.4): a warning first, the block a week later.

The rule of the block looks at the last log-in only: who could not be warned, because the sweep or
the mail server stood still that week, is blocked all the same, and gets in again by a mail. Each
step is one short transaction over a batch, asks again under the lock, and passes over rows that
somebody holds (a log-in at this moment), so the sweep may run twice and from two workers at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from people.models import LAST_SEEN, BlockReason, User, UserQuerySet
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
    blocked = _until_done(lambda: _block_batch(at), deadline)
    warned = _until_done(lambda: _warn_batch(at), deadline)
    if warned:
        start_delivery()
    return SweepResult(warned, blocked, finished=time.monotonic() < deadline)


def to_be_blocked(*, at: datetime) -> UserQuerySet:
    """Accounts that the sweep would block at this moment."""
    people: UserQuerySet = User.objects.not_seen_since(at - settings.INACTIVITY_PERIOD)
    return people


def to_be_warned(*, at: datetime) -> UserQuerySet:
    """Accounts that will be blocked within a week and were not told since they were last here."""
    blocked_before = at - settings.INACTIVITY_PERIOD
    people: UserQuerySet = User.objects.not_seen_since(
        blocked_before + warning_ahead(), after=blocked_before
    )
    return people.not_warned()


def warning_ahead() -> timedelta:
    """How long before the block the warning is sent: a week, or half of a very short period."""
    ahead: timedelta = min(timedelta(weeks=1), settings.INACTIVITY_PERIOD / 2)
    return ahead


def _until_done(step: Callable[[], int], deadline: float) -> int:
    total = 0
    while time.monotonic() < deadline:
        count = step()
        total += count
        if count == 0:
            break
    return total


@transaction.atomic
def _block_batch(at: datetime) -> int:
    count: int = User.objects.filter(pk__in=_locked(to_be_blocked(at=at))).update(
        is_active=False,
        blocked_at=at,
        blocked_reason=BlockReason.INACTIVITY,
        token_version=F("token_version") + 1,
    )
    return count


@transaction.atomic
def _warn_batch(at: datetime) -> int:
    """Remember the warning and put it into the outbox together."""
    people = User.objects.filter(pk__in=_locked(to_be_warned(at=at)))
    count: int = people.update(warned_at=at)
    if count:
        mailing = open_mailing("inactivity_warning", timezone.localtime(at).date().isoformat())
        add_recipients(mailing, people, "pk")
    return count


def _locked(people: UserQuerySet) -> list[int]:
    """The keys of a batch of them, locked until the transaction ends; nobody's who is held."""
    # In the order of the partial index: by primary key each batch would read the whole table.
    batch = people.order_by(LAST_SEEN).select_for_update(skip_locked=True)
    return list(batch.values_list("pk", flat=True)[:BATCH])

"""Versions of rows, by which somebody says what they have seen before they change it, so that
nobody overwrites what they have not seen (docs/rules.md, 13.7)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Protocol

from django.utils import timezone

from project.common.errors import ChangedMeanwhile

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# The versions that a change is meant for; None: whichever is there.
type Expected = frozenset[str] | None


class Versioned(Protocol):
    @property
    def version(self) -> str: ...


def check_version(row: Versioned, expected: Expected) -> None:
    """To be asked of a row that is locked. Raises ChangedMeanwhile."""
    if expected is not None and row.version not in expected:
        raise ChangedMeanwhile


def version_at(changed: datetime) -> str:
    """The version of a row that keeps the time of its last change; see `now_after`."""
    return f"{(changed - EPOCH) // MICROSECOND:x}"


def now_after(changed: datetime) -> datetime:
    """The time of a change, later than that of the change before it, whatever the clock says."""
    return max(timezone.now(), changed + MICROSECOND)


def version_of(values: Iterable[object]) -> str:
    """The version of a row that keeps no such time: made of what is in it."""
    return blake2b(repr([*map(str, values)]).encode(errors="replace"), digest_size=8).hexdigest()

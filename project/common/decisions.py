"""What others decided about a row since somebody saw it, so that nobody overrides a decision that
they have not seen (docs/rules.md, 13.10)."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.common.errors import Conflict

# Names of what was known of a row when somebody saw it; None: they did not say.
type Seen = frozenset[str] | None


class Decision(NamedTuple):
    """Something that was decided about a row, by a person or not; `name` tells it from others."""

    name: str
    what: str
    who: str
    at: datetime


class DecidedMeanwhile(Conflict):
    """The row is not any more as the person who decides saw it. Says what was decided, whose
    decision it was and when, as far as that is known."""

    code = "decided_meanwhile"
    message = gettext_lazy(
        "Nothing was done, because this has changed since you opened the page. Look at it again."
    )

    def __init__(self, decision: Decision | None = None) -> None:
        if decision is None:
            super().__init__()
            return
        text = _(
            "Nothing was done, because this has changed since you opened the page: %(what)s "
            "(%(who)s, %(when)s). Look at it again."
        )
        known = {"what": decision.what, "who": decision.who, "when": _when(decision.at)}
        super().__init__(text % known)


def require_seen(decisions: Iterable[Decision], seen: Seen) -> None:
    """Of a row that is locked, with all that was decided about it. Raises DecidedMeanwhile."""
    if seen is None:
        return
    known = list(decisions)
    if seen != {decision.name for decision in known}:
        raise DecidedMeanwhile(latest(known, seen))


def latest(decisions: Iterable[Decision], seen: frozenset[str]) -> Decision | None:
    """The last one of those that were not seen."""
    unseen = [decision for decision in decisions if decision.name not in seen]
    return max(unseen, key=lambda decision: decision.at, default=None)


def _when(moment: datetime) -> str:
    local = localtime(moment)
    if local.date() == localtime(timezone.now()).date():
        return time_format(local, "TIME_FORMAT")
    return date_format(local, "DATETIME_FORMAT")

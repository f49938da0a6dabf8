"""Local times that come twice or never, because clocks are changed: at two or three o'clock in Europe
and North America, at midnight in Cairo, Havana, Santiago or Beirut."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

# As far as laws about clocks are to be relied on.
AHEAD = timedelta(days=5 * 366)
STEP = timedelta(hours=12)
MINUTE = timedelta(minutes=1)


def run_at_a_change(cron: str, zone: ZoneInfo, *, since: datetime) -> datetime | None:
    """The first local time, without a zone, at which a schedule would run twice or not at all; None if
    there is none in the years ahead. Raises CroniterError for a schedule that never runs."""
    for begin, end in clock_changes(zone, since=since):
        run: datetime = croniter(cron, begin - MINUTE).get_next(datetime)
        if run < end:
            return run
    return None


def clock_changes(zone: ZoneInfo, *, since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The local times, from the first to before the last, that come twice or never in this zone."""
    moment, end = since.astimezone(UTC).replace(second=0, microsecond=0), since + AHEAD
    while moment < end:
        before, after = (_offset(zone, at) for at in (moment, moment + STEP))
        if before != after:
            earlier, later = sorted((before, after))
            change = _first_with(after, zone, moment, moment + STEP).replace(tzinfo=None)
            yield change + earlier, change + later
        moment += STEP


def _first_with(offset: timedelta, zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The first minute with this offset, which `low` has not and `high` has."""
    while high - low > MINUTE:
        middle = low + (high - low) // (2 * MINUTE) * MINUTE
        low, high = (low, middle) if _offset(zone, middle) == offset else (middle, high)
    return high


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()

"""Months are closed: what counts in them is settled, and never changes again (docs/rules.md, 12.27)."""

from collections.abc import Sequence
from datetime import date

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from payments.models import ClosedMonth, LedgerEntry
from payments.models.ledger import DaySum, month_after, month_of, present_month
from people.models import User
from project.common.errors import Conflict


class MonthNotOver(Conflict):
    code = "month_not_over"
    message = _("This month is not over yet.")


class MonthClosed(Conflict):
    code = "month_closed"
    message = _("This month has been closed already.")


class NothingToClose(Conflict):
    code = "nothing_to_close"
    message = _("No money had moved by the end of this month.")


class FiguresChanged(Conflict):
    code = "figures_changed"
    message = _("The figures have changed meanwhile: look at them before you close the month.")


def months_to_close(month: date) -> list[date]:
    """The month and each one before it that is open, the oldest first: closing it closes these.
    Raises MonthNotOver, MonthClosed, NothingToClose."""
    if month >= present_month():
        raise MonthNotOver
    first = ClosedMonth.objects.first_open()
    if first is None:
        earliest = LedgerEntry.objects.earliest_day()
        if earliest is None or month < month_of(earliest):
            raise NothingToClose
        first = month_of(earliest)
    if month < first:
        raise MonthClosed
    months = [first]
    while months[-1] < month:
        months.append(month_after(months[-1]))
    return months


def close_month(
    month: date, by: User, *, seen: Sequence[Sequence[DaySum]] | None = None
) -> list[ClosedMonth]:
    """Close it for good, after what is open before it. Raises MonthNotOver, NothingToClose,
    MonthClosed also if somebody else closes it at the same moment, and FiguresChanged if the sums of
    these months are others than were `seen`, by a payment of the same moment as well."""
    try:
        with transaction.atomic():
            closed = [_close(each, by) for each in months_to_close(month)]
            if seen is not None and [row.kept_sums for row in closed] != [*map(list, seen)]:
                raise FiguresChanged
            return closed
    except IntegrityError as error:
        raise MonthClosed from error


def _close(month: date, by: User) -> ClosedMonth:
    """What is posted meanwhile and has no stamp counts in the first month that is open then."""
    closed = ClosedMonth.objects.create(month=month, by=by)
    LedgerEntry.objects.filter(closed_in=None, day__lt=month_after(month)).update(closed_in=closed)
    closed.keep_sums(LedgerEntry.objects.filter(closed_in=closed).by_day())
    return closed

"""One row of an import: what it says, and what is wrong with it before anything is looked up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from payments.columns import Movement, written_day
from payments.models import PaymentMethod, PaymentStatus
from payments.models.states import OPEN_STATUSES
from payments.services.importing.values import READERS, Unfit, too_fine
from project.common.formulas import as_typed
from project.common.money import EXPONENTS, fits_currency
from project.school.current import current_school

REQUIRED_COLUMNS = ("external_id", "user", "amount", "currency", "method", "status")
# The external id of the example in the template, in each language.
EXAMPLES = frozenset({"EXAMPLE-1", "ПРИМЕР-1"})


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read. `number` counts the payments of the file from 1, `line` the lines of a
    table with its header. With a `problem` it can't be loaded."""

    number: int
    values: Mapping[str, object] = field(default_factory=dict)
    line: int | None = None
    problem: str = ""
    # The columns as this file calls them.
    names: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        message = _("Row %(number)s: %(reason)s")
        if self.line is not None:
            message = _("Row %(number)s (line %(line)s): %(reason)s")
        return message % {"number": self.number, "line": self.line, "reason": self.problem}

    @property
    def place(self) -> int:
        """Where people find it: the line of a table, or which one it is in a list."""
        return self.number if self.line is None else self.line

    def about(self, column: str, reason: str) -> str:
        """Say something of a column."""
        return f"{self.names.get(column, column)}: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The values of a row that is sound by itself. `user` is an id, or an e-mail as mailboxes are
    compared; times have a zone."""

    row: Row
    external_id: str
    user: int | str
    course_id: int | None
    lesson_id: int | None
    title: str | None
    amount: Decimal
    refunded_amount: Decimal | None
    refunds: tuple[Movement, ...] | None
    disputes: tuple[Movement, ...] | None
    currency: str
    method: str
    status: str
    paid_at: datetime | None
    created_at: datetime | None
    bank_reference: str | None

    @property
    def is_open_at_stripe(self) -> bool:
        """Its page and its session belong to the other book: nobody could ever pay it here."""
        return self.method == PaymentMethod.STRIPE and self.status in OPEN_STATUSES

    @property
    def is_paid(self) -> bool:
        return self.status in {PaymentStatus.PAID, PaymentStatus.REFUNDED}


def read_row(row: Row, at: datetime) -> Draft:
    """Return what the row says, at this moment. Raises Unfit with all that is wrong with it."""
    if row.problem:
        raise Unfit(row.problem)
    values, problems = _values(row)
    if values.get("external_id") in EXAMPLES:
        raise Unfit(_("this is the example of the template: delete this row"))
    if problems:
        raise Unfit("; ".join(problems))
    draft = Draft(row=row, **values)
    if contradictions := [*_contradictions(draft), *_of_the_future(draft, at)]:
        raise Unfit("; ".join(contradictions))
    return draft


def _values(row: Row) -> tuple[dict[str, Any], list[str]]:
    """The value of each column, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems = []
    is_table = row.line is not None
    for column, read in READERS.items():
        value = row.values.get(column)
        if isinstance(value, str):
            value = value.strip()
            if is_table and value.startswith("'"):
                value = as_typed(value)
        if value is None or value == "":
            values[column] = None
            if column in REQUIRED_COLUMNS:
                problems.append(row.about(column, _("is missing")))
            continue
        try:
            values[column] = read(value)
        except Unfit as unfit:
            problems.append(row.about(column, str(unfit)))
    return values, problems


def _contradictions(draft: Draft) -> list[str]:
    problems, about = [], draft.row.about
    if draft.course_id is None and draft.lesson_id is None:
        # What was deleted has no number any more, and nobody can order it.
        if not draft.title or draft.status == PaymentStatus.PENDING:
            problems.append(_("there must be either a course or a lesson"))
    elif draft.course_id is not None and draft.lesson_id is not None:
        problems.append(_("there must be either a course or a lesson"))
    if draft.is_paid and draft.paid_at is None:
        problems.append(about("paid_at", _("is missing, but the payment was made")))
    if not draft.is_paid and draft.paid_at is not None:
        problems.append(about("paid_at", _("is given, but the payment was not made")))
    if draft.currency in EXPONENTS:
        problems += [
            about(column, too_fine(amount, draft.currency))
            for column, amount in _amounts(draft)
            if not fits_currency(amount, draft.currency)
        ]
    if draft.refunds or draft.refunded_amount or draft.disputes:
        problems += _contradictions_of_refunds(draft)
    return problems


def _amounts(draft: Draft) -> Iterator[tuple[str, Decimal]]:
    """All amounts of the row, each with the column it stands in."""
    yield "amount", draft.amount
    if draft.refunded_amount is not None:
        yield "refunded_amount", draft.refunded_amount
    for column, movements in (("refunds", draft.refunds), ("disputes", draft.disputes)):
        for movement in movements or ():
            yield column, movement.amount


def _contradictions_of_refunds(draft: Draft) -> list[str]:
    problems, about = [], draft.row.about
    if draft.refunds:
        total = sum((refund.amount for refund in draft.refunds), Decimal(0))
        is_whole = draft.status == PaymentStatus.REFUNDED
        if draft.refunded_amount not in {None, total}:
            reason = _("%(given)s is given, but the refunds make %(total)s")
            reason %= {"given": draft.refunded_amount, "total": total}
            problems.append(about("refunded_amount", reason))
        if total > draft.amount:
            problems.append(about("refunds", _("%s is more than the amount") % total))
        elif (total == draft.amount) != is_whole and draft.is_paid:
            reason = _("%(total)s of %(amount)s is no refund of a payment that is %(status)s")
            label = PaymentStatus(draft.status).label
            reason %= {"total": total, "amount": draft.amount, "status": label}
            problems.append(about("refunds", reason))
    elif draft.refunded_amount is not None:
        whole = draft.amount if draft.status == PaymentStatus.REFUNDED else 0
        if draft.refunded_amount != whole:
            reason = _("is missing: say on which days what was refunded, as 500.00 (2026-11-20)")
            problems.append(about("refunds", reason))
    for column in ("refunds", "disputes"):
        movements = draft.refunds if column == "refunds" else draft.disputes
        if movements and not draft.is_paid:
            problems.append(about(column, _("is given, but the payment was not made")))
    problems += [
        about("disputes", _("%s is more than the amount") % dispute.amount)
        for dispute in draft.disputes or ()
        if dispute.amount > draft.amount
    ]
    return problems


def _of_the_future(draft: Draft, at: datetime) -> list[str]:
    times = (("paid_at", draft.paid_at), ("created_at", draft.created_at))
    if (
        not draft.refunds
        and not draft.disputes
        and not any(time and time > at for _column, time in times)
    ):
        return []
    zone = current_school().zone
    late = [
        (column, _written(time.astimezone(zone)))
        for column, time in times
        if time is not None and time > at
    ]
    if draft.refunds or draft.disputes:
        today = at.astimezone(zone).date()
        late += [
            (column, written_day(movement.day))
            for column, movements in (("refunds", draft.refunds), ("disputes", draft.disputes))
            for movement in movements or ()
            if movement.day > today
        ]
    return [draft.row.about(column, _("%s is in the future") % when) for column, when in late]


def _written(moment: datetime) -> str:
    """Without the time of day where the file has none."""
    day = written_day(moment.date())
    return day if moment.time() == time.min else f"{day} {moment:%H:%M}"

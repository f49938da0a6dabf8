"""What an import found in a file, in figures and in words: the command and the page say the same."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from payments.models import PaymentStatus
from payments.services.importing.references import Known, Unknown
from payments.services.importing.rows import Draft, Row
from payments.services.importing.values import Unfit
from payments.services.transitions import NewPayment
from project.common.money import shown

# After so many bad rows nobody needs to hear of more, nor of more people who are not here.
MOST_BAD_ROWS = 20
MOST_UNKNOWN = 100
# Of rows in which somebody is named who is not here, and of known ones that stand otherwise.
MOST_PLACES = 10
MOST_DIFFERENT = 20
# Of new payments, as examples of what will be in the book.
MOST_SHOWN = 20

LACKING = {
    "user": gettext_lazy("There is no account %s"),
    "course_id": gettext_lazy("There is no course %s"),
    "lesson_id": gettext_lazy("There is no lesson %s"),
}


@dataclass(slots=True)
class Places:
    """In which rows something is: the first few, and how many in all."""

    are_lines: bool
    first: list[int] = field(default_factory=list)
    count: int = 0

    def note(self, row: Row) -> None:
        self.count += 1
        if len(self.first) < MOST_PLACES:
            self.first.append(row.place)

    def __str__(self) -> str:
        numbers = ", ".join(map(str, self.first))
        if self.are_lines:
            text = ngettext("line %s", "lines %s", self.count) % numbers
        else:
            text = ngettext("row %s", "rows %s", self.count) % numbers
        if more := self.count - len(self.first):
            text += " " + ngettext("and %d more", "and %d more", more) % more
        return text


@dataclass(slots=True)
class Different:
    """A row about a payment that stands otherwise in the book."""

    row: Row
    external_id: str
    here: str
    there: str

    def __str__(self) -> str:
        reason = _("%(payment)s is here: %(here)s, in the file: %(there)s")
        facts = {"payment": self.external_id, "here": self.here, "there": self.there}
        return str(replace(self.row, problem=reason % facts))


@dataclass(slots=True)
class ImportReport:
    """How many rows are new, by their states with the sums, how many are in the book already, and what
    is to be known before they are loaded. With `bad` rows or anything `unknown` nothing is loaded."""

    new: int = 0
    known: int = 0
    # Orders that are open at Stripe.
    left_out: int = 0
    without_target: int = 0
    # Paid on days of months that are closed; they count in the first open one.
    in_closed_months: int = 0
    first_open: date | None = None
    # New ones that may be here under another external id, and the number of one of these.
    alike: int = 0
    first_alike: int = 0
    sums: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    first: list[NewPayment] = field(default_factory=list)
    # By what people are called in the file, of the first new payments.
    first_payers: list[str] = field(default_factory=list)
    different: list[Different] = field(default_factory=list)
    differences: int = 0
    # The first row that calls a thing otherwise than it is called here, and both titles.
    other_title: tuple[Row, str, str] | None = None
    other_titles: int = 0
    bad_rows: list[Row] = field(default_factory=list)
    bad: int = 0
    unknown: dict[Unknown, Places] = field(default_factory=dict)
    # Rows that name somebody or something unknown beside the MOST_UNKNOWN that are listed.
    more_unknown: int = 0

    @property
    def is_refused(self) -> bool:
        return bool(self.bad or self.unknown)

    def refuse(self, row: Row, unfit: Unfit) -> None:
        self.bad += 1
        # The rows of a batch are refused for one reason after another, and sorted then.
        if len(self.bad_rows) < 100 * MOST_BAD_ROWS:
            self.bad_rows.append(replace(row, problem=str(unfit)))

    def sort(self) -> None:
        self.bad_rows.sort(key=lambda bad_row: bad_row.number)
        del self.bad_rows[MOST_BAD_ROWS:]

    def note_unknown(self, row: Row, unknown: Collection[Unknown]) -> None:
        for one in unknown:
            if one not in self.unknown and len(self.unknown) >= MOST_UNKNOWN:
                self.more_unknown += 1
                continue
            self.unknown.setdefault(one, Places(row.line is not None)).note(row)

    def add(self, payment: NewPayment, row: Row, title: str) -> None:
        """Count a new payment for what is called so here."""
        self.new += 1
        count, total = self.sums.get(payment.status, (0, Decimal(0)))
        self.sums[payment.status] = (count + 1, total + payment.amount)
        if len(self.first) < MOST_SHOWN:
            self.first.append(payment)
            self.first_payers.append(str(row.values.get("user", row.values.get("payer"))))
        self.without_target += payment.course_id is None and payment.lesson_id is None
        if title and payment.title != title:
            self.other_titles += 1
            self.other_title = self.other_title or (row, payment.title, title)

    def note_alike(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.alike += 1
            self.first_alike = self.first_alike or number

    def compare(self, draft: Draft, here: Known) -> None:
        """Note a payment that is in the book, and whether it stands otherwise there."""
        self.known += 1
        refunded = draft.refunded_amount
        if draft.refunds:
            refunded = sum((refund.amount for refund in draft.refunds), Decimal(0))
        elif draft.status == PaymentStatus.REFUNDED:
            refunded = draft.amount
        if refunded is None:
            refunded = here.refunded_amount
        if (here.status, here.refunded_amount) != (draft.status, refunded):
            self.differences += 1
            if len(self.different) < MOST_DIFFERENT:
                texts = (_state(*here[4:]), _state(here.currency, draft.status, refunded))
                self.different.append(Different(draft.row, draft.external_id, *texts))

    def refusals(self) -> Iterator[str]:
        """Say why nothing is loaded."""
        for lacking, message in LACKING.items():
            for (column, name), places in self.unknown.items():
                if column == lacking:
                    yield f"{message % name} ({places})"
        if more := self.more_unknown:
            text = ngettext(
                "%d more row names somebody or something unknown.",
                "%d more rows name somebody or something unknown.",
                more,
            )
            yield text % more
        yield from map(str, self.bad_rows)
        if more := self.bad - len(self.bad_rows):
            yield ngettext("%d more row has errors.", "%d more rows have errors.", more) % more

    def warnings(self) -> Iterator[str]:
        """Say what is to be known of rows that hinder nothing."""
        if count := self.left_out:
            message = ngettext(
                "%d order is open at Stripe and left out.",
                "%d orders are open at Stripe and left out.",
                count,
            )
            yield message % count
        if count := self.without_target:
            message = ngettext(
                "%d payment is for something that was deleted: it counts in the sums and gives no access.",
                "%d payments are for something that was deleted: they count in the sums and give no access.",
                count,
            )
            yield message % count
        if (count := self.in_closed_months) and self.first_open:
            message = ngettext(
                "%(count)d payment was made in a closed month and counts in the first open one (%(month)s).",
                "%(count)d payments were made in closed months and count in the first open one (%(month)s).",
                count,
            )
            yield message % {"count": count, "month": date_format(self.first_open, "E Y")}
        if count := self.alike:
            message = ngettext(
                "%(count)d new payment is as one that is here under another external ID (№ %(number)d): of the same person, item, amount and day. Is it the same?",
                "%(count)d new payments are as ones that are here under other external IDs (the first № %(number)d): of the same person, item, amount and day. Are they the same?",
                count,
            )
            yield message % {"count": count, "number": self.first_alike}
        if self.other_title is not None:
            _row, there, here = self.other_title
            message = ngettext(
                "%(count)d row gives another title than its course or lesson has here (“%(there)s”, here “%(here)s”): check the numbers.",
                "%(count)d rows give other titles than their courses or lessons have here (the first “%(there)s”, here “%(here)s”): check the numbers.",
                self.other_titles,
            )
            yield message % {"count": self.other_titles, "there": there, "here": here}
        if count := self.differences:
            message = ngettext(
                "%d payment is here in another state, and stays as it is:",
                "%d payments are here in another state, and stay as they are:",
                count,
            )
            yield message % count

    def differences_in_words(self) -> Iterator[str]:
        """The first payments that are here in another state."""
        yield from map(str, self.different)
        if more := self.differences - len(self.different):
            yield ngettext("%d more row", "%d more rows", more) % more

    def shown_sums(self) -> Iterator[tuple[str, int, str]]:
        """How many new payments are in which state, and what they make."""
        for status in PaymentStatus:
            if status in self.sums:
                count, total = self.sums[status]
                yield str(status.label), count, shown(total, settings.CURRENCY)


def _state(currency: str, status: str, refunded: Decimal) -> str:
    label = str(PaymentStatus(status).label)
    if refunded and status != PaymentStatus.REFUNDED:
        return _("%(status)s, refunded %(amount)s") % {
            "status": label,
            "amount": shown(refunded, currency),
        }
    return label

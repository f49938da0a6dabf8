"""The entries of the ledger: each movement of money, to look through and to take along."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from payments import statistics
from payments.admin.accounts import COLUMNS, month_written
from payments.admin.base import PaymentsBookAdmin, facts_of_payment
from payments.admin.columns import payment_link
from payments.models import EntryKind, LedgerEntry, Payment, PaymentMethod
from payments.models.ledger import LedgerQuerySet
from project.common.admin.base import column, display
from project.common.admin.exporting import ExportingAdmin, TableColumn
from project.common.admin.filters import DaysFilter, DropdownFilter
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, folded
from project.common.admin.sums import Figure, SummingAdmin, Sums, grouped
from project.common.admin.tables import Cell, Money, Table
from project.common.db.search import Owners, find
from project.common.money import shown

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    from project.common.admin.filters import Lookups


class MonthFilter(DropdownFilter):
    """The month that an entry counts in."""

    title = _("counts in")
    parameter_name = "month"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        return [
            (month_written(month), date_format(month, "F Y")) for month in statistics.known_months()
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry]
    ) -> QuerySet[LedgerEntry]:
        value = self.value()
        if not value:
            return queryset
        # The last year that there is has a month with no day after it.
        known = re.fullmatch(r"(?!9999)([1-9]\d{3})-(0[1-9]|1[0-2])", value)
        if known is None:
            return queryset.none()
        month = date(int(known[1]), int(known[2]), 1)
        return cast(LedgerQuerySet, queryset).counted_in(month)


def _of_payment(value: Callable[[Payment], Cell]) -> Callable[[LedgerEntry], Cell]:
    return lambda entry: value(entry.payment) if entry.payment else None


def sums_by_month(rows: LedgerQuerySet) -> Iterator[list[Cell]]:
    """A line for each month, currency and method, with what moved by kinds and what is left."""
    sums = sorted(rows.by_month(), key=attrgetter("day", "currency", "method"))
    for (month, currency, method), alike in groupby(sums, attrgetter("day", "currency", "method")):
        of_kinds = {one.kind: one.amount for one in alike}
        amounts = [of_kinds.get(kind, Decimal(0)) for kind in COLUMNS]
        cells = [Money(amount, currency) for amount in (*amounts, sum(amounts, Decimal(0)))]
        yield [month_written(month), PaymentMethod(method).label, currency, *cells]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(
    SummingAdmin[LedgerEntry],
    ExportingAdmin[LedgerEntry],
    HeadedAdmin[LedgerEntry],
    PaymentsBookAdmin[LedgerEntry],
):
    list_display = ("day", "kind", "payment_link", "method", "amount_shown", "counts_in")
    list_filter = (
        MonthFilter,
        ("day", DaysFilter),
        ("kind", ChoicesDropdownFilter),
        ("method", ChoicesDropdownFilter),
    )
    empty_text = _(
        "Each movement of money will appear here on its day: payments, refunds and lost disputes."
    )
    found_with = ("payment",)
    search_fields = ("payment__title",)  # opens the search box; `found` searches
    search_help_text = _(
        "Name or email, title, amount; number, bank reference, external ID or Stripe ID"
    )
    ordering = ("-day", "-id")
    sortable_by = ()
    fieldsets = (
        folded(
            ("number", "day"),
            ("kind", "method"),
            ("amount_shown", "counts_in"),
            ("payment", "payer"),
            "created_at",
        ),
    )

    # Labels of choices as in the table of payments, for the same reason.
    table_columns = (
        TableColumn(pgettext_lazy("column", "Number"), lambda entry: entry.pk),
        TableColumn(_("Day"), lambda entry: entry.day),
        TableColumn(_("Kind"), lambda entry: str(EntryKind(entry.kind).label)),
        TableColumn(_("Payment number"), lambda entry: entry.payment_id),
        TableColumn(pgettext_lazy("column", "Title"), _of_payment(lambda payment: payment.title)),
        TableColumn(
            pgettext_lazy("column", "Name"),
            _of_payment(lambda payment: payment.payer.get_full_name()),
        ),
        TableColumn(
            pgettext_lazy("column", "Email"), _of_payment(lambda payment: payment.payer.email)
        ),
        TableColumn(
            pgettext_lazy("column", "Method"),
            lambda entry: str(PaymentMethod(entry.method).label),
        ),
        TableColumn(
            pgettext_lazy("column", "Amount"), lambda entry: Money(entry.amount, entry.currency)
        ),
        TableColumn(pgettext_lazy("column", "Currency"), lambda entry: entry.currency),
        TableColumn(_("Counts in"), lambda entry: month_written(entry.counts_in)),
    )

    number = column("pk", _("number"))
    payment_link = payment_link

    def label_of(self, row: LedgerEntry) -> str:
        return row.shown_amount

    def told_apart(self, request: HttpRequest, row: LedgerEntry) -> list[str]:
        about = row.payment.title if row.payment else ""
        return [row.get_kind_display(), about, date_format(row.day, "SHORT_DATE_FORMAT")]

    def with_shown(
        self, rows: QuerySet[LedgerEntry], request: HttpRequest
    ) -> QuerySet[LedgerEntry]:
        return self.with_exported(rows)

    def with_exported(self, rows: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        return cast(LedgerQuerySet, rows).with_counts_in().select_related("payment__payer")

    def sheets_beside(self, rows: QuerySet[LedgerEntry]) -> Sequence[Table]:
        """What they come to: of a month, its summary."""
        header = [
            _("Month"),
            pgettext_lazy("column", "Method"),
            pgettext_lazy("column", "Currency"),
        ]
        lines = list(sums_by_month(cast(LedgerQuerySet, rows)))
        columns = [str(title) for title in (*header, *COLUMNS.values(), _("Net"))]
        return [
            Table(name="", title=gettext("Summary"), header=columns, number=len(lines), rows=lines)
        ]

    def found(self, rows: QuerySet[LedgerEntry], text: str) -> QuerySet[LedgerEntry]:
        return find(rows, of=Owners("payment", Payment.objects.found_by_staff(text)))

    def sums_of(self, rows: QuerySet[LedgerEntry]) -> Sums:
        found: dict[str, dict[str, tuple[Decimal, int]]] = defaultdict(dict)
        for currency, kind, amount, entries in cast(LedgerQuerySet, rows).by_kind():
            found[currency][kind] = (amount, entries)
        lines = []
        for currency, of_kinds in found.items():
            figures = [
                Figure(label, shown(of_kinds[kind][0], currency), grouped(of_kinds[kind][1]))
                for kind, label in COLUMNS.items()
                if kind in of_kinds
            ]
            net = sum((amount for amount, _entries in of_kinds.values()), Decimal(0))
            lines.append([*figures, Figure(gettext("Net"), shown(net, currency), is_result=True)])
        number = sum(entries for kinds in found.values() for _amount, entries in kinds.values())
        return Sums(number, lines)

    def head_of(self, request: HttpRequest, row: LedgerEntry) -> Head:
        facts = facts_of_payment(request, row.payment) if row.payment else []
        facts += [
            HeadFact(_("method"), row.get_method_display()),
            HeadFact(_("day"), date_format(row.day)),
            HeadFact(_("counts in"), self.counts_in(row)),
        ]
        return Head(row.shown_amount, [Badge(row.get_kind_display())], facts)

    @display(description=_("amount"), formatting="price")
    def amount_shown(self, entry: LedgerEntry) -> str:
        return entry.shown_amount

    @display(description=_("payer"))
    def payer(self, entry: LedgerEntry) -> str:
        return str(entry.payment.payer) if entry.payment else "—"

    @display(description=_("counts in"))
    def counts_in(self, entry: LedgerEntry) -> str:
        return date_format(entry.counts_in, "F Y")

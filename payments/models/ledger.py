"""The ledger: one entry for each movement of money, by the day on which it moved, and the months that
are closed (docs/rules.md, 12.26 and 12.27)."""

from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Max, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest, TruncMonth
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from payments.models.states import PaymentMethod
from project.common.db.sums import ExactSum
from project.common.money import DECIMAL_PLACES, MAX_DIGITS, shown
from project.school.current import current_school

CENT = Decimal(1).scaleb(-DECIMAL_PLACES)


class EntryKind(models.TextChoices):
    PAYMENT = "payment", _("payment")
    REFUND = "refund", pgettext_lazy("money", "refund")
    DISPUTE = "dispute", _("dispute")


class DaySum(NamedTuple):
    """What moved on a day, of entries that are alike; below zero where it went."""

    day: date
    method: str
    kind: str
    currency: str
    amount: Decimal
    entries: int


def month_of(day: date) -> date:
    """The first day of the day's month, which is what months are known by."""
    return date(day.year, day.month, 1)


def month_after(month: date) -> date:
    return month_of(month + timedelta(days=31))


def present_month() -> date:
    """That of today, where the school is."""
    return month_of(timezone.localdate(timezone=current_school().zone))


class ClosedMonthQuerySet(models.QuerySet["ClosedMonth"]):
    def first_open(self) -> date | None:
        """The month after the last closed one; None if none is closed."""
        last: date | None = self.aggregate(last=Max("month"))["last"]
        return last and month_after(last)


class ClosedMonth(models.Model):
    """A month whose sums don't change any more: it is the entries that were stamped with it when it
    was closed."""

    month = models.DateField(_("month"), unique=True)
    closed_at = models.DateTimeField(_("closed"), default=timezone.now)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    # What its entries sum up to, by day, so that nobody has to add them up again: they are the same
    # for ever.
    sums = models.JSONField(
        _("sums"), default=list, db_default=Value([], models.JSONField()), editable=False
    )

    objects = ClosedMonthQuerySet.as_manager()

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        ordering = ("-month",)
        default_permissions = ()
        permissions = [("close_month", gettext_noop("close months"))]
        constraints = [
            models.CheckConstraint(condition=Q(month__day=1), name="closed_month_is_its_first_day"),
        ]

    def __str__(self) -> str:
        return date_format(self.month, "F Y")

    def keep_sums(self, sums: list[DaySum]) -> None:
        self.sums = [[str(value) for value in row] for row in sums]
        self.save(update_fields=["sums"])

    @property
    def kept_sums(self) -> list[DaySum]:
        return [
            DaySum(date.fromisoformat(day), method, kind, currency, Decimal(amount), int(entries))
            for day, method, kind, currency, amount, entries in self.sums
        ]


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def counted_in(self, month: date) -> Self:
        """Entries that count in this month: those it was closed with, and while it is open those of
        its days; in the first open month also those of days before it, which came too late."""
        first_open = ClosedMonth.objects.first_open()
        if first_open and month < first_open:
            # Its last day is where SQLite begins to read them in the order of their list.
            closed = ClosedMonth.objects.filter(month=month).values_list("pk", flat=True).first()
            own = self.filter(closed_in=closed, day__lt=month_after(month))
            return own if closed else self.none()
        return self.open_in(month, month, first_open)

    def open_in(self, first: date, last: date, first_open: date | None) -> Self:
        """Entries of no closed month that count in one from the first to the last."""
        still_open = self.filter(closed_in=None, day__lt=month_after(last))
        takes_late_ones = first_open is not None and first <= first_open <= last
        return still_open if takes_late_ones else still_open.filter(day__gte=first)

    def with_counts_in(self) -> Self:
        """Add the month that each of them counts in, so that it is not asked for one by one."""
        own: Combinable = TruncMonth("day", output_field=models.DateField())
        if first_open := ClosedMonth.objects.first_open():
            own = Greatest(own, Value(first_open, models.DateField()))
        return self.annotate(counts_in=Coalesce("closed_in__month", own))

    def by_day(self) -> list[DaySum]:
        """The sums of each day, by kind, method and currency."""
        return _sums(self, "day")

    def by_month(self) -> list[DaySum]:
        """The sums of each month that they count in, known by its first day."""
        return _sums(self.with_counts_in(), "counts_in")

    def by_kind(self) -> list[tuple[str, str, Decimal, int]]:
        """Currency, kind, sum and number of the entries of each."""
        key = ("currency", "kind")
        sums = self.order_by(*key).values_list(*key).annotate(ExactSum("amount"), Count("pk"))
        return [
            (currency, kind, amount.quantize(CENT), entries)
            for currency, kind, amount, entries in sums
        ]

    def earliest_day(self) -> date | None:
        return self.order_by("day", "pk").values_list("day", flat=True).first()


def _sums(entries: LedgerQuerySet, day: str) -> list[DaySum]:
    """The sums of entries that are alike, and have the same `day`."""
    key = (day, "method", "kind", "currency")
    rows = entries.order_by(*key).values_list(*key).annotate(ExactSum("amount"), Count("pk"))
    return [
        DaySum(first, method, kind, currency, amount.quantize(CENT), number)
        for first, method, kind, currency, amount, number in rows
    ]


class LedgerEntry(models.Model):
    """Money that came or went on a day; never changed, but for the month that it is closed with. It
    stays when its payment is deleted."""

    payment = models.ForeignKey(
        "payments.Payment",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="entries",
        verbose_name=_("payment"),
    )
    kind = models.CharField(_("kind"), max_length=7, choices=EntryKind)
    method = models.CharField(_("method"), max_length=8, choices=PaymentMethod)
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.DecimalField(
        _("amount"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        help_text=_("Below zero if the money went."),
    )
    day = models.DateField(_("day"), help_text=_("On which the money moved."))
    created_at = models.DateTimeField(_("posted"), default=timezone.now)
    # Its index is the one of all that is counted.
    closed_in = models.ForeignKey(
        ClosedMonth,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="entries",
        verbose_name=_("closed in"),
    )

    objects = LedgerQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ("-day", "-id")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_amount_is_not_zero"),
            models.CheckConstraint(
                condition=Q(kind__in=EntryKind.values), name="ledger_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(method__in=PaymentMethod.values), name="ledger_method_is_known"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="ledger_currency_is_a_code"
            ),
        ]
        indexes = [
            # All that a sum needs, of a closed month or of the days that are open.
            models.Index(
                fields=["closed_in", "day", "method", "kind", "currency", "amount"],
                name="ledger_counted",
            ),
            models.Index(fields=["-day", "-id"], name="ledger_by_day"),
        ]

    def __str__(self) -> str:
        return self.shown_amount

    @property
    def shown_amount(self) -> str:
        return shown(self.amount, self.currency)

    @cached_property
    def counts_in(self) -> date:
        """The month whose sums it is in."""
        if self.closed_in:
            return self.closed_in.month
        return max(month_of(self.day), ClosedMonth.objects.first_open() or date.min)

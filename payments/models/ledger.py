"""The ledger: one entry for each movement of money, by the day on which it moved, and the months that
are closed (docs/rules.md, 12.26 and 12.27)."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Max, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models.states import PaymentMethod
from project.common.money import DECIMAL_PLACES, MAX_DIGITS, shown

CENT = Decimal(1).scaleb(-DECIMAL_PLACES)


class EntryKind(models.TextChoices):
    PAYMENT = "payment", _("payment")
    REFUND = "refund", _("refund")
    DISPUTE = "dispute", _("dispute")


class MonthSum(NamedTuple):
    """What moved in a month; `amount` is below zero where more went than came."""

    month: date
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

    objects = ClosedMonthQuerySet.as_manager()

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        ordering = ("-month",)
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(month__day=1), name="closed_month_is_its_first_day"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def counted_in(self, month: date) -> Self:
        """Entries that count in this month: those it was closed with, and while it is open those of
        its days; in the first open month also those of days before it, which came too late."""
        first_open = ClosedMonth.objects.first_open()
        if first_open and month < first_open:
            return self.filter(closed_in__month=month)
        still_open = self.filter(closed_in=None, day__lt=month_after(month))
        return still_open if month == first_open else still_open.filter(day__gte=month)

    def sums_of_months(self, first: date, last: date) -> list[MonthSum]:
        """What counts in each month from the first to the last, by method, kind and currency."""
        first_open = ClosedMonth.objects.first_open()
        sums: dict[tuple[date, str, str, str], tuple[Decimal, int]] = defaultdict(
            lambda: (Decimal(0), 0)
        )
        by = ("method", "kind", "currency")
        closed = ClosedMonth.objects.filter(month__range=(first, last))
        months = dict(closed.values_list("pk", "month"))
        rows = self.filter(closed_in__in=months).order_by().values_list("closed_in", *by)
        for pk, *key, amount, count in rows.annotate(Sum("amount"), Count("pk")):
            sums[months[pk], *key] = (amount, count)
        still_open = self.filter(closed_in=None, day__lt=month_after(last))
        if first_open is None or first_open < first:
            still_open = still_open.filter(day__gte=first)
        rows = still_open.order_by().values_list("day", *by)
        for day, *key, amount, count in rows.annotate(Sum("amount"), Count("pk")):
            month = max(month_of(day), first_open or date.min)
            if month <= last:
                before, counted = sums[month, *key]
                sums[month, *key] = (before + amount, counted + count)
        # SQLite adds decimals as floating-point numbers.
        return [
            MonthSum(*key, amount.quantize(CENT), count)
            for key, (amount, count) in sorted(sums.items())
        ]

    def sums_of(self, month: date) -> list[MonthSum]:
        """What counts in this month, by method, kind and currency."""
        return self.sums_of_months(month, month)


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
        return f"{self.amount} {self.currency}"

    @property
    def shown_amount(self) -> str:
        return shown(self.amount, self.currency)

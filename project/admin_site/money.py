"""The panel of the payments: what somebody has to decide, and what came in."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payments.models import Payment, PaymentMethod
from project.admin_site.panels import list_url, may_see
from project.admin_site.statistics import kept, last_days, revenue_of
from project.admin_site.widgets import (
    COLOURS,
    Attention,
    Chart,
    Figure,
    Panel,
    by_day,
)
from project.common.money import shown

BOOK = "payments.Payment"
TO_CONFIRM, STUCK = "?attention=confirm", "?attention=stuck"


@dataclass(frozen=True)
class MoneyChart(Chart):
    """Whole units of the currency are drawn; the legend tells exact sums."""

    totals: Mapping[str, Decimal]

    @property
    def legend(self) -> list[tuple[str, str, Any]]:
        return [
            (name, colour, shown(self.totals[name], settings.CURRENCY))
            for name, colour in zip(self.series, COLOURS, strict=False)
        ]


def payments(request: HttpRequest) -> Panel | None:
    """For those who may see the book."""
    if not may_see(request, BOOK):
        return None
    revenue = revenue_of(kept("payments"))
    to_confirm = Payment.objects.to_confirm().count()
    stuck = Payment.objects.open_too_long().count()
    total = sum((amount for _day, _method, amount in revenue), Decimal(0))
    recent = f"?status__exact=paid&paid_at_from={last_days()[0]}&paid_at_to={last_days()[-1]}"
    url = list_url(BOOK, recent)
    return Panel(
        title=_("Payments"),
        attention=_attention(to_confirm, stuck),
        figures=[
            Figure(_("Revenue in 30 days"), shown(total, settings.CURRENCY), url),
            Figure(_("To confirm"), to_confirm, list_url(BOOK, TO_CONFIRM)),
            Figure(_("Open for too long"), stuck, list_url(BOOK, STUCK)),
        ],
        charts=[_revenue(revenue, url)] if revenue else [],
    )


def _attention(to_confirm: int, stuck: int) -> list[Attention]:
    entries = []
    if to_confirm:
        text = ngettext(
            "%(number)d payment waits to be confirmed.",
            "%(number)d payments wait to be confirmed.",
            to_confirm,
        )
        url = list_url(BOOK, TO_CONFIRM)
        entries.append(Attention(text % {"number": to_confirm}, url, "payments"))
    if stuck:
        text = ngettext(
            "%(number)d payment is open for too long.",
            "%(number)d payments are open for too long.",
            stuck,
        )
        entries.append(Attention(text % {"number": stuck}, list_url(BOOK, STUCK), "hourglass_top"))
    return entries


def _revenue(rows: list[tuple[date, str, Decimal]], url: str | None) -> Chart:
    """One line for each method that brought something."""
    methods: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for day, method, amount in rows:
        methods[str(PaymentMethod(method).label)][day] = amount
    series = {
        name: by_day({day.isoformat(): round(amount) for day, amount in days.items()})[1]
        for name, days in methods.items()
    }
    return MoneyChart(
        _("Revenue per day"),
        "line",
        by_day({})[0],
        series,
        url,
        totals={name: sum(days.values(), Decimal(0)) for name, days in methods.items()},
    )

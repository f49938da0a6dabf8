"""The panel of the payments on the dashboard."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from payments.models import FindingKind, LedgerEntry
from payments.tests.factories import DisputeFactory, FindingFactory, PaymentFactory
from project.admin_site.models import Figure
from project.admin_site.panels import payments

pytestmark = pytest.mark.django_db


def panel_of(user):
    Figure.objects.all().delete()
    request = RequestFactory().get("/admin/")
    request.user = user
    return payments(request)


def paid(amount, *, days=0, **fields):
    at = timezone.now() - timedelta(days=days)
    return PaymentFactory.create(amount=amount, status="paid", paid_at=at, **fields)


def test_what_waits_for_staff_is_told_and_leads_there(client_of, administrator):
    old = timezone.now() - timedelta(days=31)
    waiting = PaymentFactory.create()
    stuck = PaymentFactory.create(created_at=old)
    panel = panel_of(administrator)
    texts = [entry.text for entry in panel.attention]
    assert texts == [
        "2 payments are waiting to be confirmed.",
        "1 payment has been open for too long.",
    ]
    lists = [
        set(client_of(administrator).get(entry.url).context["cl"].queryset)
        for entry in panel.attention
    ]
    assert lists == [{waiting, stuck}, {stuck}]


def test_what_needs_a_person_comes_first(client_of, administrator):
    """Disputes with the nearest deadline, money that did not arrive, what else was found."""
    soon, later = (timezone.now() + timedelta(days=days) for days in (2, 5))
    urgent = DisputeFactory.create(evidence_due_by=soon)
    waiting = DisputeFactory.create(evidence_due_by=later, status="warning_needs_response")
    DisputeFactory.create(status="under_review", evidence_due_by=timezone.now())
    DisputeFactory.create(status="won")
    kinds = ("paid_twice", "refund_failed", "refund_failed", "open_too_long")
    found = [
        FindingFactory.create(kind=kind, reference=f"payment:{number}")
        for number, kind in enumerate(kinds)
    ]
    FindingFactory.create(
        kind="refund_failed", reference="refund:9", status="repaired", closed_at=timezone.now()
    )
    PaymentFactory.create()
    attention = panel_of(administrator).attention
    deadline = date_format(timezone.localtime(soon), "SHORT_DATETIME_FORMAT")
    assert [entry.text for entry in attention] == [
        f"2 disputes need an answer. Evidence is due by {deadline}",
        "Refund failed: 2",
        "Paid twice: 1",
        "1 payment is waiting to be confirmed.",
    ]
    assert [entry.is_danger for entry in attention] == [True, True, False, False]
    lists = [
        list(client_of(administrator).get(entry.url).context["cl"].queryset)
        for entry in attention[:3]
    ]
    assert lists == [[urgent, waiting], [found[2], found[1]], [found[0]]]


def test_revenue_is_what_came_and_was_kept(client_of, administrator):
    paid("100.50")
    paid("200.00", method="transfer")
    paid("300.00", days=3)
    paid("1000.00", days=31)
    paid("5000.00", currency="USD")
    PaymentFactory.create(refunded=True)
    PaymentFactory.create()
    panel = panel_of(administrator)
    [chart] = panel.charts
    assert {name: (sum(values), values[-1]) for name, values in chart.series.items()} == {
        "cash": (400, 100),
        "transfer": (200, 200),
    }
    assert [total for _name, _colour, total in chart.legend] == [
        "RUB\N{NO-BREAK SPACE}400.50",
        "RUB\N{NO-BREAK SPACE}200.00",
    ]
    assert panel.figures[0].value == "RUB\N{NO-BREAK SPACE}600.50"
    response = client_of(administrator).get(panel.figures[0].url)
    # The list tells the sums of each currency. What was given back today, came today.
    amounts = [int(entry.amount) for entry in response.context["cl"].queryset]
    assert sorted(amounts) == [-1990, 100, 200, 300, 1990, 5000]


def test_revenue_begins_with_the_first_of_thirty_days_of_the_project(administrator):
    """Late in the evening in Greenwich it is the next day in Moscow already."""
    with time_machine.travel(datetime(2026, 11, 23, 22, 30, tzinfo=UTC), tick=False):
        first = datetime(2026, 10, 25, 21, tzinfo=UTC)
        PaymentFactory.create(amount=7, status="paid", paid_at=first)
        PaymentFactory.create(amount=5, status="paid", paid_at=first - timedelta(seconds=1))
        paid("1.60")
        panel = panel_of(administrator)
    [chart] = panel.charts
    assert panel.figures[0].value == "RUB\N{NO-BREAK SPACE}8.60"
    # Drawn are whole units.
    assert chart.series["cash"] == [7, *[0] * 28, 2]
    assert "day_from=2026-10-26&day_to=2026-11-24" in panel.figures[0].url


def test_a_payment_at_midnight_belongs_to_the_day_of_the_project(administrator):
    evening = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    PaymentFactory.create(status="paid", paid_at=evening)
    PaymentFactory.create(status="paid", paid_at=evening - timedelta(seconds=1))
    [chart] = panel_of(administrator).charts
    assert chart.series["cash"][-2:] == [1990, 1990]


def test_an_empty_book_has_no_chart_and_nothing_to_do(administrator):
    panel = panel_of(administrator)
    assert (panel.charts, panel.attention) == ([], [])


@pytest.mark.parametrize("who", ["moderator", "learner"])
def test_money_is_for_those_who_may_see_the_book(client_of, support, who, request):
    PaymentFactory.create()
    assert panel_of(request.getfixturevalue(who)) is None
    assert panel_of(support) is not None
    assert "payment is waiting" in client_of(support).get(reverse("admin:index")).text


@pytest.mark.parametrize("number", [2, 20])
def test_queries_of_the_panel_do_not_grow(administrator, number, django_assert_num_queries):
    PaymentFactory.create_batch(number, paid=True)
    panel_of(administrator)
    request = RequestFactory().get("/admin/")
    request.user = administrator
    DisputeFactory.create_batch(number)
    for kind in FindingKind:
        for reference in range(number):
            FindingFactory.create(kind=kind, reference=f"payment:{reference}")
    # 1 revenue as it was counted last, 2 to confirm, 3 open for too long, 4 disputes, 5 findings.
    with django_assert_num_queries(5):
        payments(request)


def test_sums_are_exact():
    for _time in range(3):
        paid("0.10")
    [(_day, _method, total)] = LedgerEntry.objects.revenue_per_day(since=timezone.localdate())
    assert total == Decimal("0.30")

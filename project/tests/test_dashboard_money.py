"""What the dashboard says of money: what came and went in a period, and what waits for somebody."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from payments.models import ClosedMonth, FindingKind, Payment
from payments.services import closing
from payments.tests.factories import DisputeFactory, FindingFactory, PaymentFactory
from people.models import Role
from people.tests.factories import UserFactory
from project.admin_site.models import Figure

pytestmark = pytest.mark.django_db

# Half past one in Moscow, a day later than in Greenwich.
NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def accountant(moderators):
    user = UserFactory.create(is_staff=True)
    user.groups.add(Role.objects.get(name="accountants").pk)
    return user


@pytest.fixture
def shown(client_of):
    """The page as this person has it, with figures that were counted just now."""

    def ask(user, **query):
        Figure.objects.all().delete()
        return client_of(user).get(reverse("admin:index"), query)

    return ask


@pytest.fixture
def revenue(shown, administrator):
    """The panels of the revenue, by title."""

    def ask(period="30-days"):
        panels = shown(administrator, period=period).context["panels"]
        return {panel.title: panel for panel in panels if panel.title.startswith("Revenue")}

    return ask


def paid(amount, *, days=0, **fields):
    at = timezone.now() - timedelta(days=days)
    return PaymentFactory.create(amount=amount, status="paid", paid_at=at, **fields)


def numbers(panel):
    return {figure.title: (figure.value, figure.before) for figure in panel.figures}


def test_what_waits_for_staff_is_told_and_leads_there(client_of, administrator, shown):
    old = timezone.now() - timedelta(days=31)
    waiting = PaymentFactory.create()
    stuck = PaymentFactory.create(created_at=old)
    attention = [
        entry for entry in shown(administrator).context["attention"] if "payment" in entry.url
    ]
    assert [(entry.text, entry.age) for entry in attention] == [
        ("2 payments are waiting to be confirmed.", "1\N{NO-BREAK SPACE}month"),
        ("1 payment has been open for too long.", "1\N{NO-BREAK SPACE}month"),
    ]
    lists = [
        set(client_of(administrator).get(entry.url).context["cl"].queryset) for entry in attention
    ]
    assert lists == [{waiting, stuck}, {stuck}]


def test_all_that_waits_is_asked_about_by_one_press(client_of, administrator, shown):
    waiting = PaymentFactory.create_batch(2)
    PaymentFactory.create(paid=True)
    [act] = [
        entry.act for entry in shown(administrator).context["attention"] if entry.icon == "payments"
    ]
    pressed = {"action": act.action, "select_across": "1", "_selected_action": "0"}
    question = client_of(administrator).post(act.url, pressed)
    assert set(question.context["rows"]) == set(waiting)
    assert Payment.objects.to_confirm().count() == 2


def test_so_many_that_a_page_can_not_ask_about_them_are_left_to_the_list(
    administrator, shown, monkeypatch
):
    monkeypatch.setattr("project.admin_site.attention.ASKED_AT_ONCE", 1)
    PaymentFactory.create_batch(2)
    [entry] = [one for one in shown(administrator).context["attention"] if one.icon == "payments"]
    assert entry.act is None


def test_what_needs_a_person_comes_first(client_of, administrator, shown):
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
    attention = [
        entry
        for entry in shown(administrator).context["attention"]
        if entry.icon in ("gavel", "undo", "troubleshoot", "payments")
    ]
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
    assert f"/dispute/{urgent.pk}/" in attention[0].act.url


def test_the_first_month_that_is_over_and_open_is_to_be_closed(clock, client_of, shown, accountant):
    def told():
        entries = shown(accountant).context["attention"]
        return [entry for entry in entries if entry.icon == "account_balance"]

    assert told() == []
    PaymentFactory.create(status="paid", paid_at=datetime(2026, 10, 5, tzinfo=UTC))
    [entry] = told()
    assert entry.text == "October 2026 is not closed yet."
    assert client_of(accountant).get(entry.act.url).status_code == 200
    ClosedMonth.objects.create(month=date(2026, 10, 1))
    assert told() == []


def test_revenue_is_what_came_and_was_kept_of_each_currency(
    clock, revenue, client_of, administrator
):
    paid("100.50")
    paid("200.00", method="transfer")
    paid("300.00", days=3)
    paid("1000.00", days=31)
    paid("9.00", days=60)
    paid("5000.00", currency="USD")
    PaymentFactory.create(refunded=True)
    PaymentFactory.create()
    panels = revenue()
    assert list(panels) == ["Revenue", "Revenue, USD"]
    assert numbers(panels["Revenue"]) == {
        "Net": (Decimal("600.50"), Decimal("1000.00")),
        "Received": (Decimal("2590.50"), Decimal("1000.00")),
        "Refunded and lost": (Decimal(1990), Decimal(0)),
        "Payments": (4, 1),
    }
    [chart] = panels["Revenue"].charts
    received, lost = chart.series
    assert [sum(series.values) for series in (received, lost)] == [Decimal("2590.50"), -1990]
    assert (chart.labels[0], chart.labels[-1], len(chart.labels)) == ("Oct 26", "Nov 24", 30)
    assert numbers(panels["Revenue, USD"])["Net"] == (5000, 0)
    response = client_of(administrator).get(panels["Revenue"].figures[0].url)
    # The list tells the sums of each currency. What was given back today, came today.
    amounts = [int(entry.amount) for entry in response.context["cl"].queryset]
    assert sorted(amounts) == [-1990, 100, 200, 300, 1990, 5000]


@pytest.mark.parametrize(
    ("period", "first", "before", "steps"),
    [
        ("7-days", "2026-11-18", ("2026-11-11", "2026-11-17"), 7),
        ("30-days", "2026-10-26", ("2026-09-26", "2026-10-25"), 30),
        ("month", "2026-11-01", ("2026-10-01", "2026-10-24"), 24),
        ("last-month", "2026-10-01", ("2026-09-01", "2026-09-30"), 31),
        ("quarter", "2026-10-01", ("2026-07-01", "2026-08-24"), 9),
        ("year", "2026-01-01", ("2025-01-01", "2025-11-24"), 11),
        ("nonsense", "2026-10-26", ("2026-09-26", "2026-10-25"), 30),
    ],
)
def test_a_period_is_compared_with_the_one_before(clock, revenue, period, first, before, steps):
    """Late in the evening in Greenwich it is the next day in Moscow already: the twenty-fourth."""
    days = [date.fromisoformat(day) for day in (first, *before)]
    outside = [days[0] - timedelta(days=1), days[1] - timedelta(days=1)]
    for day, amount in [(days[0], 7), (days[1], 5), (days[2], 3)]:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=3)
        PaymentFactory.create(amount=amount, status="paid", paid_at=midnight)
    for day in set(outside) - set(days):
        noon = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        PaymentFactory.create(amount=1000, status="paid", paid_at=noon)
    panel = revenue(period)["Revenue"]
    net, *_others = panel.figures
    assert (net.value, net.before) == (
        7,
        8 + (1000 if outside[0] not in days and outside[0] < days[2] else 0),
    )
    [chart] = panel.charts
    assert len(chart.labels) == steps
    assert chart.series[0].values[0] == 7
    assert parse_qs(urlsplit(net.url).query)["day_from"] == [first]


def test_a_difference_is_told_in_words(clock, revenue):
    paid("150.00")
    paid("100.00", days=31)
    net, _received, refunded, _number = revenue()["Revenue"].figures
    assert net.compared.startswith("50% more than before: ")
    assert refunded.compared.startswith("before: ")
    assert revenue("7-days")["Revenue"].figures[0].compared.startswith("before: ")


def test_the_days_of_a_closed_month_add_up_to_what_it_was_closed_with(clock, revenue, accountant):
    """What comes too late counts on the first day of the month that takes it."""
    october = datetime(2026, 10, 5, tzinfo=UTC)
    PaymentFactory.create(amount=70, status="paid", paid_at=october)
    closing.close_month(date(2026, 10, 1), accountant)
    PaymentFactory.create(amount=5, status="paid", paid_at=october)
    assert revenue("last-month")["Revenue"].figures[0].value == 70
    november = revenue("month")["Revenue"]
    assert (november.figures[0].value, november.charts[0].series[0].values[0]) == (5, 5)


def test_an_empty_book_has_no_chart_and_nothing_to_do(shown, revenue, accountant):
    assert shown(accountant).context["attention"] == []
    assert revenue()["Revenue"].charts == []


@pytest.mark.any_database
@pytest.mark.parametrize("number", [2, 20])
def test_queries_do_not_grow_with_what_waits(
    client_of, administrator, number, django_assert_max_num_queries
):
    client = client_of(administrator)
    PaymentFactory.create_batch(number, paid=True)
    client.get(reverse("admin:index"))
    DisputeFactory.create_batch(number)
    for kind in FindingKind:
        for reference in range(number):
            FindingFactory.create(kind=kind, reference=f"payment:{reference}")
    with django_assert_max_num_queries(40):
        client.get(reverse("admin:index"))


def test_sums_are_exact(clock, revenue):
    for _time in range(3):
        paid("0.10")
    assert revenue()["Revenue"].figures[0].value == Decimal("0.30")

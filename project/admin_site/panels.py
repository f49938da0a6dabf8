"""The panels of the dashboard, one function each: figures of a period, with what they were before it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from lms.models import Course
from lms.models.visibility import sees_all_content
from payments.models.ledger import EntryKind
from payments.statistics import Sums
from people.current_user import current_user
from project.admin_site.menu import admin_of
from project.admin_site.periods import Period, Span
from project.admin_site.statistics import content_of, kept, sums_of
from project.admin_site.widgets import Chart, Figure, Number, Panel, Rank, Ranking, Series
from project.common.money import shown


def list_url(label: str, query: str = "") -> str:
    return admin_of(label).url("changelist") + query


def revenue(_request: HttpRequest, period: Period) -> list[Panel]:
    """One for each currency that moved, the school's own first and in any case."""
    moved = sums_of(kept("payments"))
    spans = (period.shown, period.before)
    rows = tuple(row for row in moved.rows if any(row.day in span for span in spans))
    currencies = Sums(rows).by("currency")
    own = currencies.pop(settings.CURRENCY, Sums(()))
    return [
        _revenue_in(currency, sums, period)
        for currency, sums in [(settings.CURRENCY, own), *currencies.items()]
    ]


def _revenue_in(currency: str, sums: Sums, period: Period) -> Panel:
    by_day = sums.by("day")

    def of(span: Span) -> tuple[Decimal, Decimal, int]:
        """What came, what went, and how many payments came."""
        days = Sums(tuple(row for day, one in by_day.items() if day in span for row in one.rows))
        came = days.of(kind=EntryKind.PAYMENT)
        return came.amount, days.amount - came.amount, came.entries

    def as_money(number: Number) -> str:
        return shown(Decimal(number), currency)

    (came, went, number), (came_before, went_before, number_before) = map(
        of, (period.shown, period.before)
    )
    url = list_url("payments.LedgerEntry", period.shown.query("day"))
    labels, spans = zip(*period.steps(), strict=True)
    steps = [of(span) for span in spans]
    title = _("Revenue") if currency == settings.CURRENCY else _("Revenue, %s") % currency
    money = partial(Figure, url=url, shown_as=as_money)
    chart = Chart(
        _("Received, refunded and lost"),
        labels,
        [
            Series(_("Received"), [step[0] for step in steps]),
            Series(_("Refunded and lost"), [step[1] for step in steps], "is-loss"),
        ],
        url,
        Series(_("Net"), [step[0] + step[1] for step in steps]),
        as_money,
    )
    return Panel(
        title,
        [
            money(_("Net"), came + went, before=came_before + went_before),
            money(_("Received"), came, before=came_before),
            money(_("Refunded and lost"), -went, before=-went_before),
            Figure(_("Payments"), number, f"{url}&kind__exact=payment", number_before),
        ],
        [chart] if sums.rows else [],
    )


def learning(request: HttpRequest, period: Period) -> list[Panel]:
    """What the learners of the whole school do, for those who look after everybody's courses."""
    if not sees_all_content(current_user(request)):
        return []
    numbers = kept("learning")
    completed, finished, active = (numbers[name] for name in ("completed", "finished", "active"))
    learners, before = numbers["learners"][period.name]
    per_day = _chart(
        _("Learners on a day"),
        [
            round(sum(_in(active, span)) / span.days)  # on an average day of a longer step
            for _name, span in period.steps()
        ],
        period,
    )
    return [
        Panel(
            _("Learning"),
            [
                Figure(_("Active learners"), learners, before=before),
                _figure(_("Lessons completed"), completed, period),
                _figure(_("Courses finished"), finished, period),
            ],
            [
                *per_day,
                *_chart(
                    _("Lessons completed"),
                    [sum(_in(completed, span)) for _name, span in period.steps()],
                    period,
                ),
            ],
        )
    ]


def people(_request: HttpRequest, period: Period) -> list[Panel]:
    numbers = kept("people")
    joined = numbers["joined"]
    users = list_url("people.User")
    recent = users + period.shown.query("date_joined")
    sums = [sum(_in(joined, span)) for _name, span in period.steps()]
    return [
        Panel(
            _("People"),
            [
                _figure(_("New people"), joined, period, recent),
                Figure(_("Active people"), numbers["active"], f"{users}?state=active"),
                Figure(_("Blocked people"), numbers["blocked"], f"{users}?state=blocked"),
            ],
            _chart(_("New people"), sums, period, recent),
        )
    ]


def content(request: HttpRequest, _period: Period) -> list[Panel]:
    """Everybody's courses, or for who looks after none of others their own."""
    user = current_user(request)
    numbers = (
        kept("content") if sees_all_content(user) else content_of(Course.objects.visible_to(user))
    )
    courses = list_url("lms.Course")
    return [
        Panel(
            _("Content"),
            [
                Figure(
                    _("Published courses"), numbers["published"], f"{courses}?is_published__exact=1"
                ),
                Figure(_("Drafts"), numbers["drafts"], f"{courses}?is_published__exact=0"),
                Figure(_("Lessons"), numbers["lessons"], list_url("lms.Lesson")),
                Figure(_("Subscriptions"), numbers["subscriptions"], courses),
            ],
            rankings=[
                *_ranking(_("Courses by subscribers"), numbers["top"]),
                *_ranking(_("Completion"), numbers["completion"], "%"),
            ],
        )
    ]


def _in(numbers: Mapping[str, int], span: Span) -> list[int]:
    """Those of the days of a span, by ISO day."""
    return [numbers.get(day.isoformat(), 0) for day in span]


def _figure(title: str, numbers: Mapping[str, int], period: Period, url: str = "") -> Figure:
    value, before = (sum(_in(numbers, span)) for span in (period.shown, period.before))
    return Figure(title, value, url, before)


def _chart(title: str, values: Sequence[int], period: Period, url: str = "") -> list[Chart]:
    """None of nothing."""
    labels = [name for name, _span in period.steps()]
    return [Chart(title, labels, [Series(title, values)], url)] if any(values) else []


def _ranking(title: str, courses: Sequence[tuple[int, str, int]], unit: str = "") -> list[Ranking]:
    most = 100 if unit else max((number for _pk, _title, number in courses), default=0)
    ranks = [
        Rank(course, admin_of("lms.Course").url("change", pk), number, number * 100 // (most or 1))
        for pk, course, number in courses
    ]
    return [Ranking(title, ranks, unit)] if ranks else []

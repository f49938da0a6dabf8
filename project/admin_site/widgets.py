"""What a panel of the dashboard is made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.formats import date_format
from django.utils.translation import get_language

from project.admin_site.statistics import last_days

COLOURS = ("var(--parta-line)", "oklch(76.9% .188 70.08)", "oklch(62.3% .214 259.815)")
GREY = "#9ca3af"
DRAWN = {
    "animation": False,
    "maintainAspectRatio": False,
    "plugins": {"legend": {"display": False}},
}
# From zero and by whole numbers: people, payments, units of the currency.
NUMBERS = {"ticks": {"color": GREY, "precision": 0, "maxTicksLimit": 7}, "beginAtZero": True}
# How Chart.js draws each kind. Bars lie, so that titles can be read on a phone too.
OPTIONS = {
    "bar": DRAWN
    | {
        "indexAxis": "y",
        "borderRadius": 6,
        "scales": {
            "x": NUMBERS | {"grid": {}},
            "y": {"grid": {"display": False}, "ticks": {"color": GREY, "autoSkip": False}},
        },
    },
    "line": DRAWN
    | {
        "datasets": {"line": {"borderWidth": 2, "pointStyle": False}},
        "interaction": {"mode": "index", "intersect": False},
        "scales": {
            "x": {
                "grid": {"display": False},
                "ticks": {"color": GREY, "maxRotation": 0, "autoSkipPadding": 16},
            },
            "y": NUMBERS | {"grid": {}, "border": {"display": False}},
        },
    },
}


@dataclass(frozen=True)
class Attention:
    """Something that somebody has to look at."""

    text: str
    url: str
    icon: str
    is_danger: bool = False


@dataclass(frozen=True)
class Figure:
    title: str
    value: int | str
    url: str


@dataclass(frozen=True)
class Chart:
    """Lines or bars over labels. `series` maps names to values, `totals` to what the legend says of
    them, their sums if it is None; `url` leads to the list."""

    title: str
    kind: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[int]]
    url: str
    totals: Mapping[str, str] | None = None

    @property
    def data(self) -> str:
        """What Chart.js draws."""
        datasets = [
            {
                "label": name,
                "data": list(values),
                "borderColor": colour,
                "backgroundColor": colour,
                "maxBarThickness": 18,
            }
            for (name, values), colour in zip(self.series.items(), COLOURS, strict=False)
        ]
        return json.dumps({"labels": list(self.labels), "datasets": datasets})

    @property
    def options(self) -> str:
        """How Chart.js draws it, numbers as the reader writes them."""
        return json.dumps(OPTIONS[self.kind] | {"locale": get_language()})

    @property
    def legend(self) -> list[tuple[str, str, int | str]]:
        """Name, colour and total of each series: the same numbers for those who see no drawing."""
        sums = {name: sum(values) for name, values in self.series.items()}
        totals: Mapping[str, int | str] = sums if self.totals is None else self.totals
        pairs = zip(self.series, COLOURS, strict=False)
        return [(name, colour, totals.get(name, "")) for name, colour in pairs]


@dataclass(frozen=True)
class Panel:
    title: str
    attention: list[Attention] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)


def day_labels() -> list[str]:
    return [date_format(day, "j N") for day in last_days()]


def per_day(numbers: Mapping[str, int]) -> list[int]:
    """Values for a chart of the last days; a day without a row is a zero."""
    return [numbers.get(day.isoformat(), 0) for day in last_days()]

"""What a panel of the dashboard is made of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from babel.numbers import format_percent
from django.utils.timesince import timesince
from django.utils.translation import get_language, gettext, to_locale

# Of a chart that is drawn, in its own units.
HEIGHT = 100


@dataclass(frozen=True)
class Act:
    """What can be done about something, by one press: a link to the question, or what a list does with
    all that it shows, which is posted to it."""

    title: str
    url: str
    action: str = ""


@dataclass(frozen=True)
class Attention:
    """Something that somebody has to look at."""

    text: str
    url: str
    icon: str
    is_danger: bool = False
    act: Act | None = None
    # When the oldest one began to wait.
    since: datetime | None = None

    @property
    def age(self) -> str:
        return timesince(self.since, depth=1) if self.since else ""


type Number = int | Decimal


@dataclass(frozen=True)
class Figure:
    """A number, and what it was in the period before, if it is of one."""

    title: str
    value: Number
    # Of the list behind it, if there is one.
    url: str = ""
    before: Number | None = None
    shown_as: Callable[[Number], str] = str

    @property
    def shown(self) -> str:
        return self.shown_as(self.value)

    @property
    def compared(self) -> str:
        """How it differs from the period before, in words; of nothing there is no percentage."""
        if self.before is None:
            return ""
        said = {"before": self.shown_as(self.before)}
        if self.before <= 0 or self.value == self.before:
            return gettext("before: %(before)s") % said
        share = float(self.value) / float(self.before) - 1
        locale = to_locale(get_language() or "en")
        said["percent"] = format_percent(abs(round(share, 2)), locale=locale)
        if share > 0:
            return gettext("%(percent)s more than before: %(before)s") % said
        return gettext("%(percent)s less than before: %(before)s") % said


@dataclass(frozen=True)
class Bar:
    """A rectangle of the drawing, and what it says."""

    x: int
    y: float
    height: float
    colour: str
    said: str


@dataclass(frozen=True)
class Series:
    title: str
    values: Sequence[Number]
    # A class of the style sheet.
    colour: str = "is-first"


@dataclass(frozen=True)
class Chart:
    """Bars side by side, those below zero hanging down; the table below has the same numbers, and `total`
    beside them, which is not drawn."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    url: str = ""
    total: Series | None = None
    shown_as: Callable[[Number], str] = str

    @property
    def columns(self) -> list[Series]:
        return [*self.series, *([self.total] if self.total else [])]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The newest first, as in all lists."""
        values = zip(*(series.values for series in self.columns), strict=True)
        shown = [[self.shown_as(value) for value in row] for row in values]
        return list(zip(self.labels, shown, strict=True))[::-1]

    @property
    def most(self) -> Number:
        return max((max(series.values, default=0) for series in self.series), default=0)

    @property
    def least(self) -> Number:
        return min((min(series.values, default=0) for series in self.series), default=0)

    @property
    def scale(self) -> tuple[str, str]:
        """What stands at the top, and at the bottom if something hangs down."""
        least = min(self.least, 0)
        return self.shown_as(self.most), self.shown_as(least) if least else ""

    @property
    def zero(self) -> float:
        """How far down the line is on which the bars stand."""
        return round(HEIGHT * max(float(self.most), 0) / (self._height or 1), 2)

    @property
    def _height(self) -> float:
        return max(float(self.most), 0) - min(float(self.least), 0)

    def bars(self) -> Iterator[Bar]:
        for series in self.series:
            for place, value in enumerate(series.values):
                if value:
                    size = round(HEIGHT * abs(float(value)) / self._height, 2)
                    top = self.zero - size if value > 0 else self.zero
                    said = f"{self.labels[place]} · {series.title}: {self.shown_as(value)}"
                    yield Bar(place, round(top, 2), size, series.colour, said)


@dataclass(frozen=True)
class Rank:
    title: str
    url: str
    number: int
    # Of the longest bar, as a percentage.
    share: int


@dataclass(frozen=True)
class Ranking:
    title: str
    ranks: Sequence[Rank]
    unit: str = ""


@dataclass(frozen=True)
class Panel:
    title: str
    figures: list[Figure] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    rankings: list[Ranking] = field(default_factory=list)

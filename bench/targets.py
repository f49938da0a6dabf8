"""What is to be reached, and whether it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SHARES = {
    "course list": (0.40, 4.0),
    "course detail": (0.30, 2.5),
    "lesson list": (0.30, 2.5),
    "payments list": (0.30, 2.5),
    "catalog search": (0.30, 2.5),
}


@dataclass(frozen=True)
class Target:
    """A figure of a further job that has to be at least, or at most, so much."""

    job: str
    figure: str
    sign: str
    limit: float
    words: str

    def is_reached_by(self, value: float) -> bool:
        if self.sign == "≥":
            return value >= self.limit
        return value < self.limit if self.sign == "<" else value <= self.limit


FURTHER = [
    Target("large tables", "worst ratio", "≤", 1.5, "list page over 1,000,000 rows vs 1,000"),
    Target("log-ins beside the list", "rate kept", "≥", 0.40, "list rate kept beside log-ins"),
    Target("log-ins beside the list", "p99 ms", "<", 100, "its p99 in ms"),
    Target("import", "times loaddata", "≥", 10, "load_payments, times faster than loaddata"),
    Target("import", "memory grown MiB", "≤", 32, "its memory from 100,000 to all rows, MiB"),
    Target("mails", "ratio", "≥", 0.7, "mails, share of a bare loop"),
    Target("sweep", "ratio", "≤", 2, "sweep, times the bare UPDATE"),
    Target("start", "seconds", "≤", 1.5, "start of a worker to its first answer, s"),
    Target("memory", "RSS MiB", "<", 120, "memory after 10,000 requests, MiB"),
]


@dataclass(frozen=True)
class Verdict:
    words: str
    wanted: str
    found: float
    is_reached: bool

    def __str__(self) -> str:
        mark = "reached" if self.is_reached else "MISSED"
        return f"{mark:8} {self.words:50} {self.wanted:>8} {self.found:9.2f}"


def verdicts(found: dict[str, Any]) -> Iterator[Verdict]:
    """Judge what was measured on one database; what was not measured is not judged."""
    for name, (share, multiple) in SHARES.items():
        operation = found.get("operations", {}).get(name)
        if operation:
            reached, less = operation["share"]["median"], operation["multiple"]["median"]
            yield Verdict(f"{name}: share of the limit", f"≥ {share}", reached, reached >= share)
            yield Verdict(
                f"{name}: times less than the usual way", f"≥ {multiple}", less, less >= multiple
            )
    for target in FURTHER:
        figures = found.get("further", {}).get(target.job, {})
        if target.figure in figures:
            value = figures[target.figure]
            wanted = f"{target.sign} {target.limit:g}"
            yield Verdict(target.words, wanted, value, target.is_reached_by(value))

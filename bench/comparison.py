"""What two results say about the difference between two commits: `python -m bench compare A B`."""

from collections.abc import Iterator
from typing import Any

# Two runs on different days differ so much without a reason.
NOISE = 0.05


def compare(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Say for each operation what its CPU per request did, relative to the limit of the same
    round, so that a faster machine is no faster application."""
    for database, found in after["databases"].items():
        known = before["databases"].get(database, {}).get("operations", {})
        for name, operation in found.get("operations", {}).items():
            if name in known:
                yield f"{database:10} {name:15} {_difference(known[name], operation)}"
        old, new = before["databases"].get(database, {}).get("further", {}), found.get("further")
        yield from _further(database, old, new or {})


def _difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    old, new = before["share"], after["share"]
    change = new["median"] / old["median"] - 1
    overlap = new["min"] <= old["max"] and old["min"] <= new["max"]
    if overlap or abs(change) <= NOISE:
        verdict = "the same within noise"
    else:
        verdict = "better" if change > 0 else "WORSE"
    return (
        f"share of the limit {old['median']:.2f} → {new['median']:.2f} ({change:+.0%}): {verdict}"
    )


def _further(database: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Single figures have no spread: they are shown, and only large changes are named."""
    for job, figures in after.items():
        for figure, value in figures.items():
            old = before.get(job, {}).get(figure)
            if not (isinstance(old, int | float) and isinstance(value, int | float) and old):
                continue
            change = value / old - 1
            if abs(change) > 5 * NOISE:
                yield f"{database:10} {job}: {figure} {old:.4g} → {value:.4g} ({change:+.0%})"

"""Results as a file, as tables, beside the targets, and beside those of another commit."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.serving import ROOT

PACKAGES = [
    "django", "django-ninja", "pydantic", "orjson", "psycopg", "gunicorn", "djangorestframework",
]  # fmt: skip
Results = dict[str, Any]
# At least so large a share of the limit, and so many times less than the usual way.
TARGETS = {
    "course list": (0.40, 4.0),
    "course detail": (0.30, 2.5),
    "lesson list": (0.30, 2.5),
    "payments list": (0.30, 2.5),
    "catalog search": (0.30, 2.5),
    "learning list": (0.30, 2.5),
    "learning course": (0.30, 2.5),
    "learning lesson": (0.30, 2.5),
    "own profile": (0.30, 2.5),
    "subscriptions": (0.30, 2.5),
}
# What learners open most costs at most so many times the CPU of this list in the same run.
MEASURE, MOST = "lesson list", 1.5
OPENED_MOST = list(TARGETS)[-5:]
# Two runs on different days differ so much without a reason.
NOISE = 0.05


def environment() -> Results:
    """The machine, the versions and the commit."""
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024 // 1024
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.check_output(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, text=True
    )
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.strip(),
        "machine": f"{os.cpu_count()} × {model[1] if model else platform.machine()}, "
        f"{memory} GiB, Linux {platform.release()}",
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def write(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Results:
    results: Results = json.loads(path.read_text())
    return results


def default_path(results: Results) -> Path:
    day, commit = results["environment"]["time"][:10], results["environment"]["commit"]
    return ROOT / "bench" / "results" / f"{day}-{commit.replace('+', '-changed')}.json"


def tables(results: Results) -> str:
    """Everything that was measured, as text."""
    about = results["environment"]
    lines = [f"{about['machine']}; Python {about['python']}; commit {about['commit']}"]
    for database, found in results["databases"].items():
        lines += ["", f"## {database}: {found['version']}, {found['size']}", ""]
        lines.append(
            f"{'operation':15} {'server':12} {'req/s':>7} {'p50 ms':>7} {'p99 ms':>7} "
            f"{'CPU ms: server + database':>26}  ratio by CPU (median, min–max)"
        )
        for name, operation in found["operations"].items():
            lines += _rows(name, operation)
        lines += ["", *verdicts(found["operations"])]
    return "\n".join(lines) + "\n"


def _rows(name: str, operation: Results) -> Iterator[str]:
    ratios = {
        "limit": f"{_spread(operation['share'])} of the limit",
        "usual way": f"{_spread(operation['multiple'])} × less than the usual way",
    }
    for server, median in operation["medians"].items():
        cost = f"{median['server']:.2f} + {median['database']:.2f} = {median['cpu']:.2f}"
        yield (
            f"{name:15} {server:12} {median['rate']:7.0f} {median['p50']:7.1f} "
            f"{median['p99']:7.1f} {cost:>26}  {ratios.get(server, '')}"
        )


def _spread(values: dict[str, float]) -> str:
    return f"{values['median']:.2f} ({values['min']:.2f}–{values['max']:.2f})"


def verdicts(operations: Results) -> Iterator[str]:
    """A line for each target of what was measured."""
    words = {"share": "share of the limit", "multiple": "times less than the usual way"}
    for name, targets in TARGETS.items():
        for ratio, wanted in zip(words, targets, strict=True):
            if name in operations:
                found = operations[name][ratio]["median"]
                mark = "reached" if found >= wanted else "MISSED"
                yield f"{mark:8} {f'{name}: {words[ratio]}':50} {f'≥ {wanted}':>8} {found:9.2f}"
    for name in OPENED_MOST:
        if {name, MEASURE} <= operations.keys():
            cost, measure = (
                operations[one]["medians"]["application"]["cpu"] for one in (name, MEASURE)
            )
            mark = "reached" if cost <= MOST * measure else "MISSED"
            yield f"{mark:8} {f'{name}: times the {MEASURE}':50} {f'≤ {MOST}':>8} {cost / measure:9.2f}"


def compare(before: Results, after: Results) -> Iterator[str]:
    """Say for each operation what its CPU per request did, relative to the limit of the same
    round, so that a faster machine is no faster application."""
    for database, found in after["databases"].items():
        known = before["databases"].get(database, {}).get("operations", {})
        for name, operation in found["operations"].items():
            if name not in known:
                continue
            old, new = known[name]["share"], operation["share"]
            change = new["median"] / old["median"] - 1
            overlap = new["min"] <= old["max"] and old["min"] <= new["max"]
            if overlap or abs(change) <= NOISE:
                verdict = "the same within noise"
            else:
                verdict = "better" if change > 0 else "WORSE"
            yield (
                f"{database:10} {name:15} share of the limit {old['median']:.2f} → "
                f"{new['median']:.2f} ({change:+.0%}): {verdict}"
            )

"""Results as a file, as tables, and beside the targets."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.serving import ROOT
from bench.targets import verdicts

PACKAGES = [
    "django", "django-ninja", "pydantic", "orjson", "psycopg", "gunicorn", "djangorestframework",
]  # fmt: skip
Results = dict[str, Any]


def environment() -> Results:
    """The machine, the versions and the commit."""
    memory = Path("/proc/meminfo").read_text().split()[1]
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _output("git", "rev-parse", "--short", "HEAD")
        + ("+" if _output("git", "status", "--porcelain", "-uno") else ""),
        "machine": f"{os.cpu_count()} × {models[0] if models else platform.machine()}, "
        f"{int(memory) // 1024 // 1024} GiB, Linux {platform.release()}",
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _output(*command: str) -> str:
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return finished.stdout.strip()


def write(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Results:
    results: Results = json.loads(path.read_text())
    return results


def merge(found: Results, more: Results) -> None:
    """Add what another process measured on the same database."""
    found |= {"version": more["version"], "size": more["size"]}
    found["operations"] |= more.get("operations", {})
    found["further"] |= more["further"]


def default_path(results: Results) -> Path:
    day, commit = results["environment"]["time"][:10], results["environment"]["commit"]
    return ROOT / "bench" / "results" / f"{day}-{commit.replace('+', '-changed')}.json"


# --- Tables -------------------------------------------------------------------------------------


def tables(results: Results) -> str:
    """Everything that was measured, as text."""
    about = results["environment"]
    lines = [f"{about['machine']}; Python {about['python']}; commit {about['commit']}"]
    for database, found in results["databases"].items():
        lines += ["", f"## {database}: {found['version']}, {found['size']}", ""]
        lines += _rounds_table(found.get("operations", {}))
        for name, figures in found.get("further", {}).items():
            lines += ["", name, *(f"  {figure:45} {_short(v)}" for figure, v in figures.items())]
        judged = list(verdicts(found))
        missed = sum(not verdict.is_reached for verdict in judged)
        lines += ["", f"Targets, {database}: {missed} of {len(judged)} missed", *map(str, judged)]
    return "\n".join(lines) + "\n"


def _rounds_table(operations: Results) -> list[str]:
    if not operations:
        return []
    head = (
        f"{'operation':15} {'server':12} {'req/s':>7} {'p50 ms':>7} {'p99 ms':>7} {'queries':>7} "
        f"{'CPU ms: server + database':>26}  ratio by CPU (median, min–max)"
    )
    lines = [head]
    for name, found in operations.items():
        for server, median in found["medians"].items():
            cost = f"{median['server']:.2f} + {median['database']:.2f} = {median['cpu']:.2f}"
            ratio = {
                "limit": f"{_spread(found['share'])} of the limit",
                "usual way": f"{_spread(found['multiple'])} × less than the usual way",
            }.get(server, "")
            lines.append(
                f"{name:15} {server:12} {median['rate']:7.0f} {median['p50']:7.1f} "
                f"{median['p99']:7.1f} {found['queries'][server]:7.1f} {cost:>26}  {ratio}"
            )
    return lines


def _spread(values: dict[str, float]) -> str:
    return f"{values['median']:.2f} ({values['min']:.2f}–{values['max']:.2f})"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return _spread(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)

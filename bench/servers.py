"""Web servers that could serve the application, beside each other: `python -m bench servers`.

All serve the same application with the settings of production on the same database, in alternating
rounds: the course list alone, and beside twenty log-ins a second.
"""

import os
import sys
from collections.abc import Iterator
from statistics import median
from typing import Any

from bench.jobs import course_lists, log_ins
from bench.load import FailedRequests, load
from bench.logins import measure_round
from bench.serving import Server, memory_of, started

ROUNDS = 3
WARM_UP = 3.0
SECONDS = 4.0
CORES = os.cpu_count() or 1
WSGI = "project.wsgi:application"


def gunicorn(kind: str, processes: int, threads: int = 1) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py"]
    command += ["--bind", "127.0.0.1:{port}", "--max-requests", "0", "--worker-class", kind]
    return [*command, "--workers", str(processes), "--threads", str(threads), WSGI]


def granian(processes: int, threads: int) -> list[str]:
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", "{port}"]
    command += ["--workers", str(processes), "--blocking-threads", str(threads)]
    return [*command, "--no-ws", "--log-level", "error", WSGI]


def uvicorn(processes: int) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", "--port", "{port}", "--workers", str(processes)]
    return [*command, "--log-level", "error", "--no-access-log", "project.asgi:application"]


CANDIDATES = {
    f"gunicorn gthread {CORES}×4": gunicorn("gthread", CORES, 4),
    f"gunicorn gthread {CORES}×8": gunicorn("gthread", CORES, 8),
    f"gunicorn sync {CORES}": gunicorn("sync", CORES),
    f"gunicorn sync {2 * CORES + 1}": gunicorn("sync", 2 * CORES + 1),
    f"granian {CORES}×4": granian(CORES, 4),
    f"uvicorn (ASGI) {CORES}": uvicorn(CORES),
}


def measure() -> dict[str, Any]:
    """The figures of each candidate, by its name. One runs at a time, so that all find the same
    database, with as many connections as they ask for."""
    lists, visitors = course_lists(), log_ins()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CANDIDATES}
    names = list(CANDIDATES)
    for number in range(ROUNDS):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            with started(name, CANDIDATES[name], DATABASE_URL=_database_for(name)) as one:
                try:
                    load(one.address, lists, seconds=WARM_UP)
                    figures = measure_round(one, lists, visitors, SECONDS)
                except FailedRequests as failure:
                    sys.stderr.write(f"{name}: {failure}\n")
                else:
                    found[name].append(figures | {"PSS MiB": _memory(one)})
    return {name: _summary(rounds) for name, rounds in found.items() if rounds}


def _database_for(name: str) -> str:
    """Under ASGI connections that are kept are not found again: a server soon has too many."""
    return os.environ["DATABASE_URL"] + ("?conn_max_age=0" if "ASGI" in name else "")


def _memory(target: Server) -> int:
    """Of all its processes, shared pages by their share."""
    return sum(memory_of(pid)[1] for pid in target.processes())


def _summary(rounds: list[dict[str, Any]]) -> dict[str, float]:
    names = [
        "CPU ms of the list",
        "alone",
        "p99 alone",
        "beside",
        "p99",
        "let in",
        "lost",
        "PSS MiB",
    ]
    return {name: float(median(one[name] for one in rounds)) for name in names}


def table(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{'server':22} {'CPU ms':>7} {'list/s':>7} {'p99 ms':>7} "
        f"{'beside log-ins/s':>17} {'kept':>5} {'p99 ms':>7} {'log-ins':>8} {'MiB':>5}"
    )
    for name, figures in found.items():
        yield (
            f"{name:22} {figures['CPU ms of the list']:7.2f} {figures['alone']:7.0f} "
            f"{figures['p99 alone']:7.1f} {figures['beside']:17.0f} "
            f"{figures['beside'] / figures['alone']:5.2f} {figures['p99']:7.0f} "
            f"{figures['let in']:8.0f} {figures['PSS MiB']:5.0f}"
        )

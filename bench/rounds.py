"""The operations under load: the application, the limit and the usual way in alternating rounds."""

import statistics
import sys
from contextlib import ExitStack
from typing import Any

from bench import data, parity
from bench.database import own_database
from bench.jobs import all_jobs
from bench.load import FailedRequests, Request, load
from bench.serving import Server, served

WARM_UP = 2.0
APPLICATION, LIMIT, USUAL = "application", "limit", "usual way"
# All on the same database, with the same web server and the same settings of it.
ENTRIES = {
    APPLICATION: ("project.wsgi", "project.settings"),
    LIMIT: ("bench.limit", "project.settings"),
    USUAL: ("project.wsgi", "bench.usual_settings"),
}


def measure(names: list[str], rounds: int, seconds: float) -> dict[str, Any]:
    """Measure these operations on the database of DATABASE_URL, in a process that has not set
    Django up yet."""
    with own_database(ALLOWED_HOSTS="127.0.0.1"), ExitStack() as stack:
        data.make_data_set()
        servers = {
            name: stack.enter_context(served(entry, DJANGO_SETTINGS_MODULE=settings))
            for name, (entry, settings) in ENTRIES.items()
        }
        jobs = {name: requests for name, requests in all_jobs().items() if name in names}
        askers = {name: parity.over_http(one.address) for name, one in servers.items()}
        for requests in jobs.values():
            parity.check(requests, askers)
        operations = {}
        for name, requests in jobs.items():
            sys.stderr.write(f"{name}: ")
            try:
                found = measure_job(requests, servers, rounds, seconds)
                operations[name] = summary(found) | {"rounds": found}
            except FailedRequests as failure:
                sys.stderr.write(f"not measured: {failure}")
            sys.stderr.write("\n")
        return {"version": data.version(), "size": data.SIZE, "operations": operations}


def measure_job(
    requests: list[Request], servers: dict[str, Server], rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """One dict for each round, with what each server did in it."""
    for target in servers.values():
        # Connections, plans and caches.
        load(target.address, requests, seconds=WARM_UP)
    found = []
    for number in range(rounds):
        order = list(servers)
        order = order[number % 3 :] + order[: number % 3]
        found.append({name: measure_once(requests, servers[name], seconds) for name in order})
        sys.stderr.write(".")
        sys.stderr.flush()
    return found


def measure_once(requests: list[Request], target: Server, seconds: float) -> dict[str, float]:
    before = target.cpu()
    seen = load(target.address, requests, seconds=seconds)
    server, database = (
        sum(now - earlier.get(pid, 0.0) for pid, now in later.items()) * 1000 / seen.requests
        for earlier, later in zip(before, target.cpu(), strict=True)
    )
    return {
        "rate": seen.requests / seen.seconds,
        "p50": seen.p50,
        "p99": seen.p99,
        "bytes": seen.bytes / seen.requests,
        "server": server,
        "database": database,
        "cpu": server + database,
    }


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of each server, and the two ratios by CPU, each from one round."""
    medians = {
        name: {
            figure: statistics.median(one[name][figure] for one in rounds)
            for figure in rounds[0][name]
        }
        for name in rounds[0]
    }
    share = [one[LIMIT]["cpu"] / one[APPLICATION]["cpu"] for one in rounds]
    multiple = [one[USUAL]["cpu"] / one[APPLICATION]["cpu"] for one in rounds]
    return {"medians": medians, "share": spread(share), "multiple": spread(multiple)}


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}

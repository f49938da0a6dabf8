"""The operations under load: the application, the limit and the usual way in alternating rounds."""

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench import parity
from bench.jobs import Job, all_jobs
from bench.load import FailedRequests, load
from bench.serving import Meter, Server, server

WARM_UP = 2.0
APPLICATION, LIMIT, USUAL = "application", "limit", "usual way"
ENTRIES = {
    APPLICATION: ("project.wsgi", "project.settings"),
    LIMIT: ("bench.limit", "project.settings"),
    USUAL: ("bench.usual_wsgi", "bench.usual_settings"),
}


@contextmanager
def three_servers() -> Iterator[dict[str, Server]]:
    """All on the same database, with the same web server and the same settings of it."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(server(name, entry, DJANGO_SETTINGS_MODULE=settings))
            for name, (entry, settings) in ENTRIES.items()
        }


def measure(names: list[str], *, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure the jobs of these names (none: all)."""
    results = {}
    jobs = [job for job in all_jobs() if not names or job.name in names]
    queries = {job.name: queries_of(job) for job in jobs}
    with three_servers() as servers:
        askers = {name: parity.over_http(one.address) for name, one in servers.items()}
        for job in jobs:
            parity.check(job, askers)
        for job in jobs:
            sys.stderr.write(f"{job.name}: ")
            try:
                found = measure_job(job, servers, rounds=rounds, seconds=seconds)
            except FailedRequests as failure:
                sys.stderr.write(f"not measured: {failure}\n")
                continue
            results[job.name] = summary(found) | {"queries": queries[job.name], "rounds": found}
            sys.stderr.write("\n")
    return results


def measure_job(
    job: Job, servers: dict[str, Server], *, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """One dict for each round, with what each server did in it."""
    seconds *= job.seconds_factor
    for target in servers.values():
        # Connections, plans and caches.
        warm_up = WARM_UP * job.seconds_factor
        load(target.address, job.requests, seconds=warm_up, connections=job.connections)
    found = []
    for number in range(rounds):
        order = list(servers)
        order = order[number % 3 :] + order[: number % 3]
        found.append({name: measure_once(job, servers[name], seconds) for name in order})
        sys.stderr.write(".")
        sys.stderr.flush()
    return found


def measure_once(job: Job, target: Server, seconds: float) -> dict[str, float]:
    if job.put_back is not None:
        job.put_back()
    meter = Meter(target)
    seen = load(target.address, job.requests, seconds=seconds, connections=job.connections)
    cost = meter.read()
    return {
        "rate": seen.rate,
        "p50": seen.p50,
        "p99": seen.p99,
        "bytes": seen.bytes / seen.requests,
        "server": cost.server * 1000 / seen.requests,
        "database": cost.database * 1000 / seen.requests,
        "cpu": cost.total * 1000 / seen.requests,
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


# --- Queries ------------------------------------------------------------------------------------


def queries_of(job: Job) -> dict[str, float]:
    """How many statements one request needs, the beginning and end of transactions apart."""
    from django.test import override_settings  # noqa: PLC0415 - Django is set up by now

    from bench.usual_settings import MIDDLEWARE  # noqa: PLC0415

    sample = job.requests[:8] if not job.shape_only else job.requests[:2]
    found = {}
    with override_settings(ALLOWED_HOSTS=["127.0.0.1"], SECURE_SSL_REDIRECT=False):
        found[APPLICATION] = _django_queries(job, sample)
        with override_settings(ROOT_URLCONF="bench.usual", MIDDLEWARE=MIDDLEWARE):
            found[USUAL] = _django_queries(job, sample)
    found[LIMIT] = _limit_queries(job, sample)
    return found


def _django_queries(job: Job, sample: list[Any]) -> float:
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    ask = parity.in_process(WSGIHandler())
    if job.put_back is not None:
        job.put_back()
    ask(sample[0])
    counts = []
    for request in sample:
        with CaptureQueriesContext(connection) as captured:
            ask(request)
        counts.append(sum(is_statement(query["sql"]) for query in captured.captured_queries))
    return statistics.mean(counts)


def is_statement(sql: str) -> bool:
    return sql.split()[0] not in {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


def _limit_queries(job: Job, sample: list[Any]) -> float:
    from bench import limit  # noqa: PLC0415

    os.environ.setdefault("CURRENCY", "RUB")
    if job.put_back is not None:
        job.put_back()
    database = limit.own_database()
    ask, before = parity.in_process(limit.application), database.queries
    for request in sample:
        ask(request)
    count = (database.queries - before) / len(sample)
    database.connection.close()
    limit.forget()
    return count

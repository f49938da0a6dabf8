"""A web worker by itself: how long until its first answer, and what memory it holds later."""

import time
from statistics import median
from typing import Any

from bench.jobs import all_jobs, course_lists, log_ins
from bench.load import Request, load
from bench.parity import over_http
from bench.rounds import spread
from bench.serving import cpu_of, free_port, memory_of, server

STARTS = 5
REQUESTS = 10_000
SOME = 1_000


def measure_start() -> dict[str, Any]:
    """From the command of a web server with one worker to its first course list, which needs the
    whole application; the first start of all, which compiles the files, does not count."""
    request = course_lists()[0]
    found = [_start(request) for _start_number in range(STARTS + 1)][1:]
    seconds = [one for one, _cpu in found]
    return {
        "seconds": median(seconds),
        "spread": spread(seconds),
        "CPU seconds": median(cpu for _one, cpu in found),
    }


def _start(request: Request) -> tuple[float, float]:
    port = free_port()
    started = time.monotonic()
    with server("application", "project.wsgi", "--workers", "1", port=port) as one:
        status, _content = over_http(one.address)(request)
        seconds = time.monotonic() - started
        if status != 200:
            message = f"the first answer was {status}"
            raise RuntimeError(message)
        return seconds, sum(cpu_of(pid) for pid in one.processes())


def measure_memory() -> dict[str, Any]:
    """Of the only worker of a server, after requests of all kinds that are measured."""
    # Of log-ins one at a time: of more, some may be told to come back, which is no answer.
    jobs = [job for job in all_jobs() if job.name != "log in"]
    requests = [request for job in jobs for request in job.requests[:40]]
    with server("application", "project.wsgi", "--workers", "1") as one:
        [worker] = one.workers()
        sent = _send(one.address, requests, SOME)
        early, _shared = memory_of(worker)
        sent += load(one.address, log_ins(), seconds=4, connections=1).requests
        sent += _send(one.address, requests, REQUESTS - sent)
        resident, proportional = memory_of(worker)
    return {
        "RSS MiB": resident,
        "PSS MiB": proportional,
        f"RSS MiB after {SOME:,}": early,
        "requests": sent,
    }


def _send(address: str, requests: list[Request], count: int) -> int:
    sent = 0
    while sent < count:
        sent += load(address, requests, seconds=4).requests
    return sent

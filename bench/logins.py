"""The course list alone, and beside people who log in: so many each second, answered or not."""

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from statistics import median
from typing import Any

from bench.jobs import course_lists, log_ins
from bench.load import Request, load
from bench.rounds import spread
from bench.serving import Meter, Server, server

OFFERED = 20
ROUNDS = 3
SECONDS = 8.0
# So many may wait for an answer at once; more are never offered in a round.
MOST_WAITING = 400


class Visitors:
    """Send log-ins at a steady rate, each over a connection of its own, however slow the answers
    to those before are."""

    def __init__(self, target: Server, requests: list[Request], *, rate: float) -> None:
        self.target = target
        self.requests = requests
        self.rate = rate
        self.pool = ThreadPoolExecutor(MOST_WAITING)
        self.answers: list[Future[tuple[int, float]]] = []

    def come(self, seconds: float) -> None:
        started = time.monotonic()
        for number in range(int(seconds * self.rate)):
            time.sleep(max(0.0, started + number / self.rate - time.monotonic()))
            request = self.requests[number % len(self.requests)]
            self.answers.append(self.pool.submit(self._log_in, request))

    def leave(self) -> tuple[Counter[int], list[float]]:
        """Wait for all answers: how many there were by status (0: none), and the seconds that
        those who were let in waited."""
        found = [answer.result() for answer in self.answers]
        self.pool.shutdown()
        return Counter(status for status, _ in found), [s for status, s in found if status == 200]

    def _log_in(self, request: Request) -> tuple[int, float]:
        started = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.target.port, timeout=120)
        try:
            connection.request(
                request.method, request.path, request.body, headers=request.all_headers()
            )
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException):
            return 0, 0.0
        else:
            return response.status, time.monotonic() - started
        finally:
            connection.close()


def measure() -> dict[str, Any]:
    """In alternating rounds against one server: how much of its rate the list keeps, and what the
    log-ins get."""
    lists, visitors = course_lists(), log_ins()
    with server("application", "project.wsgi", DJANGO_SETTINGS_MODULE="project.settings") as one:
        load(one.address, lists, seconds=2)
        rounds = [measure_round(one, lists, visitors) for _round in range(ROUNDS)]
    return summary(rounds)


def measure_round(
    target: Server, lists: list[Request], visitors: list[Request], seconds: float = SECONDS
) -> dict[str, Any]:
    meter = Meter(target)
    alone = load(target.address, lists, seconds=seconds)
    cost_alone = meter.read().total / alone.requests
    crowd = Visitors(target, visitors, rate=OFFERED)
    with ThreadPoolExecutor(1) as background:
        coming = background.submit(crowd.come, seconds)
        beside = load(target.address, lists, seconds=seconds)
        coming.result()
    statuses, waits = crowd.leave()
    return {
        "alone": alone.rate,
        "beside": beside.rate,
        "p99 alone": alone.p99,
        "p99": beside.p99,
        "p50": beside.p50,
        "CPU ms of the list": cost_alone * 1000,
        "offered": sum(statuses.values()),
        "let in": statuses[200],
        "later": statuses[429] + statuses[503],
        "lost": statuses[0],
        "waited": median(waits) if waits else 0.0,
    }


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    def middle(name: str) -> float:
        return float(median(one[name] for one in rounds))

    return {
        "list alone, requests/s": middle("alone"),
        "list beside log-ins, requests/s": middle("beside"),
        "rate kept": middle("beside") / middle("alone"),
        "rate kept, spread": spread([one["beside"] / one["alone"] for one in rounds]),
        "p99 ms": middle("p99"),
        "p99 ms alone": middle("p99 alone"),
        "log-ins offered/s": OFFERED,
        "log-ins of a round": middle("offered"),
        "let in": middle("let in"),
        "told to come later": middle("later"),
        "without an answer": middle("lost"),
        "seconds until let in": middle("waited"),
    }

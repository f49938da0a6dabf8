"""Keeps background work going: runs the worker cluster, and starts a fresh one when it hangs or dies.

A cluster that hangs looks well from outside: its processes live, its guard writes its heartbeat, and
SIGTERM does not end it. So it is judged by what it does, as in `/readyz`: is any task ever finished?
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.db import Error, connection
from django.utils import timezone

from project.common.queue import SILENCE_LIMIT, enqueue, last_execution
from project.common.tasks import CANARY
from project.supervisor import Service, Supervisor

logger = logging.getLogger(__name__)

# A sound cluster is silent for no longer than until it is asked for a sign of life, and then for as
# long as its longest task. This is more, and less than the limit by a few looks.
PATIENCE = SILENCE_LIMIT.total_seconds() - 10
# However short the patience, a cluster that starts on a busy machine has this time for its first task.
STARTUP_SECONDS = 30.0
LOOKS = 22  # in the time of our patience
ASKS = 5
# A cluster that ends sooner than this will probably do so again: wait 1, 2, 4 … seconds before the
# next, and give up in the end.
SETTLED_SECONDS = 60.0
FIRST_DELAY = 1.0
MAX_QUICK_ENDS = 6


class Pulse:
    """Feels whether tasks are finished, in any cluster on this database.

    Times of day are compared for change only: clocks may be set, and machines may sleep.
    """

    def __init__(self, patience: float, *, after: float = 0) -> None:
        self.patience = patience
        self.seen: list[datetime | None] = []  # the latest execution, once it is known
        self.looked_at = self.asked_at = time.monotonic()
        self.felt_at = self.looked_at + after

    def find_fault(self) -> str | None:
        now = time.monotonic()
        if now - self.looked_at < self.patience / LOOKS:
            return None
        self.looked_at = now
        try:
            self._look(now)
        except Error:
            # Without a database nothing can be finished, by the best of clusters.
            self.felt_at = now
        finally:
            connection.close()
        silence = now - self.felt_at
        if silence < self.patience:
            return None
        return f"the worker hangs: nothing was finished for {silence:.0f} seconds"

    def _look(self, now: float) -> None:
        last = last_execution()
        is_ahead = last is not None and last > timezone.now()  # the clock was set back
        if self.seen and (last != self.seen[0] or is_ahead):
            self.felt_at = self.asked_at = now
        elif now - self.asked_at > self.patience / ASKS:
            self.asked_at = now
            enqueue(CANARY)
        self.seen = [last]


def keep_working(
    command: Sequence[str], folder: Path, *, patience: float, grace: float
) -> str | None:
    """Run the cluster's command again and again. Return None after a stop signal, or how it ended
    too often."""
    services = [Service("cluster", command)]
    quick_ends = 0
    while True:
        delay = FIRST_DELAY * 2 ** (quick_ends - 1) if quick_ends else 0.0
        pulse = Pulse(patience, after=delay + max(0.0, STARTUP_SECONDS - patience))
        began = time.monotonic() + delay
        cluster = Supervisor(services, folder, grace=grace, find_fault=pulse.find_fault)
        ended = cluster.run(after=delay)
        if ended is None:
            return None
        quick_ends = quick_ends + 1 if time.monotonic() - began < SETTLED_SECONDS else 0
        if quick_ends == MAX_QUICK_ENDS:
            return f"{ended}, {quick_ends} times in a row"
        logger.error("Starting a fresh cluster: %s", ended)

"""Keeps background work going: runs the worker cluster, and starts a fresh one when it hangs or dies.

A cluster that hangs looks well from outside: its processes live, its sentinel writes its heartbeat,
and SIGTERM does not end it. So it is judged by what it does: is any task ever finished? Other clusters
may work on the same database, so it is known by a name, and asked questions that only it answers.
"""

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.db import Error, connection

from project.common.background.broker import NAME_PREFIX, NAME_VARIABLE
from project.common.background.queue import (
    SILENCE_LIMIT,
    call_back_schedules,
    enqueue,
    last_execution,
    next_canary,
)
from project.common.background.tasks import SIGN_OF_LIFE
from project.processes.supervisor import Service, Supervisor

logger = logging.getLogger(__name__)

# A sound cluster is silent for no longer than until it is asked for a sign of life, and then for as
# long as its longest task. This is more, and less than the limit by a few looks.
PATIENCE = SILENCE_LIMIT.total_seconds() - 10
# However short the patience, a cluster that starts on a busy machine has this time for its first task.
STARTUP_SECONDS = 30.0
# Longer than the cluster ever needs until it looks at its schedules again.
SCHEDULE_PAUSE = 200.0
LOOKS = 22  # in the time of our patience
ASKS = 5
# A cluster that ends sooner than this will probably do so again: wait 1, 2, 4 … seconds before the
# next, and give up in the end.
SETTLED_SECONDS = 60.0
FIRST_DELAY = 1.0
MAX_QUICK_ENDS = 6


class HangDetector:
    """Finds out whether a cluster finishes tasks.

    Times of day are compared for change only: clocks may be set, and machines may sleep.
    """

    def __init__(self, cluster: str, patience: float, *, after: float = 0) -> None:
        self.cluster = cluster
        self.patience = patience
        self.last_execution: datetime | None = None
        self.looked_at = self.asked_at = time.monotonic()
        self.worked_at = self.scheduled_at = self.looked_at + after
        self.next_canary: datetime | None = None

    def find_fault(self) -> str | None:
        now = time.monotonic()
        if now - self.looked_at < self.patience / LOOKS:
            return None
        self.looked_at = now
        try:
            last = last_execution(self.cluster)
            if last is not None and last != self.last_execution:
                self.worked_at = self.asked_at = now
                self.last_execution = last
            elif now - self.asked_at > self.patience / ASKS:
                self.asked_at = now
                enqueue(SIGN_OF_LIFE, self.cluster, cluster=self.cluster)
            call_back_schedules()
            due = next_canary()
            if due is None or due != self.next_canary:
                self.scheduled_at, self.next_canary = now, due
        except Error:
            # Without a database nothing can be finished, by the best of clusters.
            self.worked_at = self.scheduled_at = now
        finally:
            connection.close()
        silence, pause = now - self.worked_at, now - self.scheduled_at
        if silence >= self.patience:
            return f"the worker is stuck: no task was finished for {silence:.0f} seconds"
        # Up to ninety seconds lie between two runs of what runs every minute.
        if pause >= max(2 * self.patience, SCHEDULE_PAUSE):
            return f"the worker is stuck: no schedule ran for {pause:.0f} seconds"
        return None


def keep_working(
    command: Sequence[str], folder: Path, *, patience: float, grace: float
) -> str | None:
    """Run the cluster's command again and again. Return None after a stop signal, or how it ended
    too often."""
    quick_ends = 0
    while True:
        name = f"{NAME_PREFIX}{uuid.uuid4().hex}"
        services = [Service("cluster", command, variables={NAME_VARIABLE: name})]
        delay = FIRST_DELAY * 2 ** (quick_ends - 1) if quick_ends else 0.0
        detector = HangDetector(name, patience, after=delay + max(0.0, STARTUP_SECONDS - patience))
        began = time.monotonic() + delay
        cluster = Supervisor(services, folder, grace=grace, find_fault=detector.find_fault)
        ended = cluster.run(after=delay)
        if ended is None:
            return None
        quick_ends = quick_ends + 1 if time.monotonic() - began < SETTLED_SECONDS else 0
        if quick_ends == MAX_QUICK_ENDS:
            return f"{ended}, {quick_ends} times in a row"
        logger.error("Starting a fresh cluster: %s", ended)

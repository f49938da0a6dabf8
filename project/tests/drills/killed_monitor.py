"""The process that records results hangs while three hundred tasks are done, and is killed: how many
of them are done again."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

from project.tests.drills.clusters import cluster, monitor_of, shell, was_replaced
from project.tests.processes import wait_until

TASKS = 300
FILE = "DRILL_FILE"
ENQUEUE = f"""
from project.common.background.queue import enqueue
for number in range({TASKS}):
    enqueue("project.tests.drills.killed_monitor.work", number)
"""
# As if `retry` of Q_CLUSTER had passed; says how many tasks wait.
PASS_BY = """
from datetime import timedelta
from django.db.models import F
from django_q.models import OrmQ
OrmQ.objects.update(lock=F("lock") - timedelta(minutes=5))
rows = OrmQ.objects.filter(key="parta")
print(sum("killed_monitor" in row.func() for row in rows))
"""


def work(number: int) -> None:
    with Path(os.environ[FILE]).open("a") as file:
        file.write(f"{number}\n")


def run(folder: Path) -> None:
    done = folder / "done"
    done.touch()
    with cluster(folder, **{FILE: str(done)}) as running:

        def counts() -> Counter[str]:
            return Counter(done.read_text().split())

        os.kill(monitor_of(running), signal.SIGSTOP)
        shell(running, ENQUEUE)
        wait_until(lambda: len(counts()) == TASKS, 120)
        killed = monitor_of(running)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: monitor_of(running) != killed, 300)
        waiting = shell(running, PASS_BY).splitlines()[-1]
        print(f"{TASKS} tasks done; then {waiting} of them in the queue")
        # Longer than the guard's patience, and than they take.
        time.sleep(180)
        again = sum(number - 1 for number in counts().values())
        print(f"done again: {again}; cluster replaced: {was_replaced(running)}")

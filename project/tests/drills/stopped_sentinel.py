"""The process that starts what runs by the clock is stopped, once while the clock is set back by two
hours, too: how long `/readyz` says that all is well, and how long until schedules run again."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from project.tests.drills.clusters import cluster, sentinel_of, shell, was_replaced
from project.tests.processes import Server, wait_until

SECONDS = 600
# What was written before the clock was set back lies in the future.
SET_BACK = """
from datetime import timedelta
from django.db.models import F
from django_q.models import OrmQ, Schedule, Task
Task.objects.update(started=F("started") + timedelta(hours=2), stopped=F("stopped") + timedelta(hours=2))
Schedule.objects.update(next_run=F("next_run") + timedelta(hours=2))
OrmQ.objects.update(lock=F("lock") + timedelta(hours=2))
"""


def run(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        for line in pool.map(lambda code: _measure(folder, code), ["", SET_BACK]):
            print(line)


def _measure(folder: Path, code: str) -> str:
    folder = Path(tempfile.mkdtemp(dir=folder))
    with cluster(folder) as running:
        server = Server(folder)
        try:

            def is_ready() -> bool:
                return requests.get(f"{server.url}/readyz", timeout=60).status_code == 200

            wait_until(is_ready, 180, pause=1)
            os.kill(sentinel_of(running), signal.SIGSTOP)
            if code:
                shell(running, code)
            noticed = _first(lambda: not is_ready())
            replaced = _first(lambda: was_replaced(running))
            again = _first(is_ready)
        finally:
            server.process.kill()
            server.process.wait()
    what = "stopped, and the clock set back:" if code else "stopped:"
    return f"{what} /readyz 503 after {noticed}, replaced after {replaced} more, 200 after {again} more"


def _first(condition: Callable[[], object]) -> str:
    began = time.monotonic()
    try:
        wait_until(condition, SECONDS, pause=1)
    except AssertionError:
        return f"more than {SECONDS} s"
    return f"{time.monotonic() - began:.0f} s"

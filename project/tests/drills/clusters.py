"""A worker cluster under its guard, and which of its processes is which."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project.tests.processes import KEY, Running, environment, manage
from project.tests.processes import run as command


@contextmanager
def cluster(folder: Path, **variables: str) -> Iterator[Running]:
    """Run `manage.py work` on a new database in this folder."""
    own = environment(folder, SECRET_KEY=KEY, HTTPS="off", **variables)
    command(manage("migrate", "--skip-checks"), own).check_returncode()
    running = Running(folder, "work", variables=own)
    try:
        running.wait_until(lambda: "monitoring at" in running.text)
        yield running
    finally:
        running.end()


def shell(running: Running, code: str) -> str:
    """What the code prints, with the settings and the database of this cluster."""
    answer = command(manage("shell", "--no-imports", "-c", code), running.variables)
    answer.check_returncode()
    return answer.stdout.strip()


def was_replaced(running: Running) -> bool:
    return "Starting a fresh cluster" in running.text


def monitor_of(running: Running) -> int:
    """The process that records results, as the log names it last."""
    return int(re.findall(r"monitoring at (\d+)", running.text)[-1])


def sentinel_of(running: Running) -> int:
    """The process that looks at schedules, and replaces the others: their parent."""
    status = Path(f"/proc/{monitor_of(running)}/stat").read_text()
    return int(status.rpartition(")")[2].split()[1])

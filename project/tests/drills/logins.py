"""Twenty log-ins a second with right passwords, one after another and all of a second at once: who is
let in, after how long, and what it costs. With DATABASE_URL and CACHE_URL in the environment there,
else on SQLite."""

import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from statistics import median

import requests

from project.tests.processes import KEY, Server, environment, manage
from project.tests.processes import run as command

SECONDS = 10
RATE = 20
PROCESSES = 2
PREPARE = f"""
import json
from people.tests.factories import PASSWORD, UserFactory
people = UserFactory.create_batch({RATE})
print(json.dumps([PASSWORD, [person.email for person in people]]))
"""
TICKS = os.sysconf("SC_CLK_TCK")


def run(folder: Path) -> None:
    shared = {
        name: os.environ[name] for name in ("DATABASE_URL", "CACHE_URL") if name in os.environ
    }
    variables = {"SECRET_KEY": KEY, "THROTTLE_LOGIN": "10/min"} | shared
    own = environment(folder, **variables)
    command(manage("migrate", "--skip-checks"), own).check_returncode()
    prepared = command(manage("shell", "--no-imports", "-c", PREPARE), own)
    password, emails = json.loads(prepared.stdout.splitlines()[-1])
    server = Server(folder, workers=PROCESSES, **variables)
    try:
        bodies = [{"email": email, "password": password} for email in emails]
        _measure(server, bodies, "first, to warm up:", apart=1 / RATE)
        _measure(server, bodies, "one after another:", apart=1 / RATE)
        _measure(server, bodies, "all of a second at once:", apart=0)
    finally:
        server.process.kill()
        server.process.wait()


def _measure(server: Server, bodies: list[dict[str, str]], title: str, *, apart: float) -> None:
    url = f"{server.url}/api/v1/auth/token"

    def log_in(body: dict[str, str]) -> tuple[int, float]:
        began = time.monotonic()
        answer = requests.post(url, json=body, timeout=60)
        return answer.status_code, time.monotonic() - began

    before, began = _computed(server), time.monotonic()
    offered = []
    with ThreadPoolExecutor(4 * RATE) as clients:
        for number, body in zip(range(SECONDS * RATE), cycle(bodies), strict=False):
            second, place = divmod(number, RATE)
            time.sleep(max(0, began + second + place * apart - time.monotonic()))
            offered.append(clients.submit(log_in, body))
        answers = [each.result() for each in offered]
    elapsed, computed = time.monotonic() - began, _computed(server) - before
    waits = sorted(waited for status, waited in answers if status == requests.codes.ok)
    assert waits, answers
    print(title, dict(Counter(status for status, _waited in answers)))
    print(
        f"  waited {median(waits):.2f} s, 99 of 100 {waits[len(waits) * 99 // 100]:.2f} s, all {waits[-1]:.2f} s"
    )
    print(
        f"  {computed / len(waits) * 1000:.0f} ms of CPU for each, {computed / elapsed:.2f} cores"
    )


def _computed(server: Server) -> float:
    """Seconds of CPU that the processes of the server have taken."""
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS

"""Anonymous bodies of two megabytes with 210,000 unknown fields: what eight of them cost a process."""

import json
import time
from pathlib import Path

import requests

from project.tests.drills.measuring import used, web_processes
from project.tests.processes import Server

FIELDS = {f"{number:x}": 1 for number in range(210_000)}
BODY = json.dumps(FIELDS, separators=(",", ":")).encode()


def run(folder: Path) -> None:
    server = Server(folder, THROTTLE_REGISTER="1000/min")
    try:
        requests.get(f"{server.url}/api/v1/meta", timeout=30)
        [pid] = web_processes(server)
        before = used(pid)
        began = time.monotonic()
        statuses = [
            requests.post(
                f"{server.url}/api/v1/auth/register",
                BODY,
                headers={"Content-Type": "application/json"},
                timeout=60,
            ).status_code
            for _number in range(8)
        ]
        took = time.monotonic() - began
        after = used(pid)
    finally:
        server.process.terminate()
        server.process.wait()
    print(
        f"{statuses} in {took:.1f} s; CPU {(after[0] - before[0]) / 8:.2f} s each; "
        f"memory {before[1]} MiB before, {after[1]} MiB after, {after[2]} MiB at most"
    )

"""Anonymous requests whose bodies nobody reads, and other people's behind them on the connections
that nginx keeps: nobody is answered for somebody else's request."""

from collections import Counter
from pathlib import Path

import requests

from project.tests.drills.servers import nginx
from project.tests.processes import Server

ROUNDS = 30
PATHS = [("courses", 100_000), ("nothing", 100_000), ("users/me/avatar", 3_000_000)]


def run(folder: Path) -> None:
    server = Server(folder, PROXIES="1", THROTTLE_LOGIN="10000/min")
    try:
        with nginx(folder, server) as url:
            theirs, others = Counter[int](), Counter[int]()
            for number in range(ROUNDS):
                path, length = PATHS[number % 3]
                theirs[_post(f"{url}/api/v1/{path}", b"x" * length)] += 1
                others[_post(f"{url}/api/v1/auth/token", b"{}")] += 1
    finally:
        server.process.terminate()
        server.process.wait()
    print(f"with unread bodies: {dict(theirs)}; the next people: {dict(others)}")


def _post(url: str, content: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    return requests.post(url, content, headers=headers, timeout=30).status_code

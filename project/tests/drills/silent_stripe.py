"""Eight buyers while Stripe accepts connections and says nothing: how long others wait meanwhile."""

import json
import socket
import time
from collections import Counter
from pathlib import Path
from threading import Thread

import requests

from project.tests.processes import KEY, Server, environment, manage
from project.tests.processes import run as command

SECONDS = 25
BUYERS = 8
PREPARE = f"""
import json
from lms.tests.factories import CourseFactory
from people.tests.factories import UserFactory
from people.tokens import issue_access_token
course = CourseFactory.create(published=True, price=100)
buyers = UserFactory.create_batch({BUYERS})
print(json.dumps([course.pk, [issue_access_token(buyer) for buyer in buyers]]))
"""


def run(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as stripe:
        variables = {
            "SECRET_KEY": KEY,
            "STRIPE_API_KEY": "sk_test_x",
            "STRIPE_WEBHOOK_SECRET": "whsec_x",
            "STRIPE_API_BASE": f"http://127.0.0.1:{stripe.getsockname()[1]}",
            "WEB_THREADS": "4",
            "ALLOWED_HOSTS": "127.0.0.1",
        }
        own = environment(folder, **variables)
        command(manage("migrate", "--skip-checks"), own).check_returncode()
        prepared = command(manage("shell", "--no-imports", "-c", PREPARE), own)
        course, tokens = json.loads(prepared.stdout.splitlines()[-1])
        server = Server(folder, workers=1, **variables)
        try:
            requests.get(f"{server.url}/healthz", timeout=30)
            _measure(server.url, course, tokens)
        finally:
            server.process.kill()
            server.process.wait()


def _measure(url: str, course: int, tokens: list[str]) -> None:
    answers: list[tuple[int, float]] = []

    def buy(token: str) -> None:
        began = time.monotonic()
        answer = requests.post(
            f"{url}/api/v1/payments",
            json={"course_id": course, "method": "stripe"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=300,
        )
        answers.append((answer.status_code, time.monotonic() - began))

    longest: dict[str, float] = {}

    def watch(path: str) -> None:
        until = time.monotonic() + SECONDS
        while (began := time.monotonic()) < until:
            assert requests.get(f"{url}{path}", timeout=300).status_code == 200
            longest[path] = max(longest.get(path, 0), time.monotonic() - began)
            time.sleep(0.1)

    buyers = [Thread(target=buy, args=[token], daemon=True) for token in tokens]
    watchers = [Thread(target=watch, args=[path]) for path in ("/healthz", "/api/v1/meta")]
    for thread in buyers:
        thread.start()
    time.sleep(0.5)
    for thread in watchers:
        thread.start()
    for thread in watchers:
        thread.join()
    print("longest:", {path: f"{seconds:.2f} s" for path, seconds in longest.items()})
    print("buyers answered meanwhile:", dict(Counter(status for status, _took in answers)))
    print("the quickest after", f"{min((took for _s, took in answers), default=0):.2f} s")

"""Each attack of one client on the deployment of docs/operations.md (nginx, Gunicorn with a process for
each core, Redis; the database of DATABASE_URL): how long other people wait before and meanwhile, what
they are answered, and what memory a web process takes at most."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from PIL import Image

from people.tests.factories import PASSWORD
from project.tests.drills.measuring import (
    FromAddress,
    ask,
    at_once,
    forget_most,
    used,
    web_processes,
)
from project.tests.drills.servers import free_port, nginx, running
from project.tests.drills.unknown_fields import BODY as UNKNOWN_FIELDS
from project.tests.processes import KEY, Server, environment, manage
from project.tests.processes import run as command

SECONDS = 10
ATTACKER = "127.0.0.2"
PREPARE = """
import json
from lms.tests.factories import CourseFactory, LessonFactory
from people.tests.factories import UserFactory
from people.tokens import issue_access_token
people = UserFactory.create_batch(20)
course = CourseFactory.create(published=True, price=100, owner=people[0])
LessonFactory.create_batch(10, course=course)
drafts = [CourseFactory.create(owner=person).pk for person in people]
print(json.dumps({
    "course": course.pk, "drafts": drafts, "emails": [person.email for person in people],
    "tokens": [issue_access_token(person) for person in people],
}))
"""
JSON = {"Content-Type": "application/json"}


def bomb() -> bytes:
    """A picture of 45 KB that takes 430 MiB to decode."""
    encoded = BytesIO()
    Image.new("RGB", (5000, 5000), "teal").save(encoded, "WEBP", quality=80)
    return encoded.getvalue()


@dataclass
class Target:
    url: str
    course: int
    drafts: list[int]
    emails: list[str]
    tokens: list[str]
    redis: subprocess.Popen[bytes]


def post(url: str, body: bytes | None = None, token: str = "", **options: Any) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers |= JSON
    method = options.pop("method", "POST")
    with requests.Session() as session:
        session.mount("http://", FromAddress(ATTACKER))
        answer = session.request(method, url, data=body, headers=headers, timeout=60, **options)
    return answer.status_code


def unread_bodies(target: Target) -> AbstractContextManager[None]:
    paths = [("courses", 100_000), ("nothing", 100_000), ("users/me/avatar", 3_000_000)]
    return at_once(
        3,
        lambda mine: post(f"{target.url}/api/v1/{paths[mine][0]}", b"x" * paths[mine][1]),
    )


def unknown_fields(target: Target) -> AbstractContextManager[None]:
    return at_once(8, lambda _mine: post(f"{target.url}/api/v1/auth/register", UNKNOWN_FIELDS))


def bombs(target: Target) -> AbstractContextManager[None]:
    content = bomb()
    return at_once(
        16,
        lambda mine: post(
            f"{target.url}/api/v1/courses/{target.drafts[mine]}/preview",
            token=target.tokens[mine],
            method="PUT",
            files={"file": ("x.webp", content)},
        ),
    )


def buyers(target: Target) -> AbstractContextManager[None]:
    body = json.dumps({"course_id": target.course, "method": "stripe"}).encode()
    return at_once(
        8, lambda mine: post(f"{target.url}/api/v1/payments", body, target.tokens[mine + 8])
    )


def guesses(target: Target) -> AbstractContextManager[None]:
    return at_once(
        8,
        lambda mine: post(
            f"{target.url}/api/v1/auth/token",
            json.dumps({"email": target.emails[mine], "password": "wrong"}).encode(),
        ),
    )


def class_logs_in(target: Target) -> AbstractContextManager[None]:
    def log_in(mine: int) -> None:
        body = json.dumps({"email": target.emails[mine], "password": PASSWORD}).encode()
        post(f"{target.url}/api/v1/auth/token", body)
        time.sleep(0.9)

    return at_once(20, log_in)


def reading(target: Target) -> AbstractContextManager[None]:
    """As fast as they can, with the largest pages there are."""
    return at_once(
        8,
        lambda mine: post(
            f"{target.url}/api/v1/users?page_size=100", method="GET", token=target.tokens[mine]
        ),
    )


def writing(target: Target) -> AbstractContextManager[None]:
    body = json.dumps({"title": "x", "description": "*x* " * 4000}).encode()
    return at_once(4, lambda mine: post(f"{target.url}/api/v1/courses", body, target.tokens[15]))


HEAD = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def held(number: int, sent: bytes) -> Callable[[Target], AbstractContextManager[None]]:
    """So many connections on which this was sent and no more will be."""

    @contextmanager
    def attack(target: Target) -> Iterator[None]:
        address = urlsplit(target.url)
        with ExitStack() as clients:
            for _client in range(number):
                client = socket.create_connection(
                    (address.hostname, address.port), source_address=(ATTACKER, 0)
                )
                clients.enter_context(client)
                client.sendall(sent)
            yield

    return attack


@contextmanager
def silent_redis(target: Target) -> Iterator[None]:
    target.redis.send_signal(signal.SIGSTOP)
    try:
        with guesses(target):
            yield
    finally:
        target.redis.send_signal(signal.SIGCONT)


ATTACKS: dict[str, Callable[[Target], AbstractContextManager[None]]] = {
    "unread bodies": unread_bodies,
    "2 MB of unknown fields, by 8": unknown_fields,
    "pictures of 25 megapixels, by 16": bombs,
    "8 buyers, Stripe silent": buyers,
    "8 half-sent bodies": held(8, HEAD + b'Content-Length: 1000\r\n\r\n{"email":'),
    "50 half-sent headers": held(50, HEAD),
    "200 silent connections": held(200, b""),
    "wrong passwords, by 8": guesses,
    "20 log-ins a second": class_logs_in,
    "wrong passwords, Redis silent": silent_redis,
    "large lists, by 8": reading,
    "new courses, by 4": writing,
}


def run(folder: Path) -> None:
    with deployment(folder) as (target, server):
        paths = [
            "/api/v1/meta",
            "/api/v1/catalog/courses",
            f"/api/v1/catalog/courses/{target.course}",
            "/api/v1/learning/courses",
            "/api/v1/users/me",
        ]
        people = target.tokens[16:]
        ask(target.url, people, paths, seconds=3)
        for name, attack in ATTACKS.items():
            calm = ask(target.url, people, paths, seconds=SECONDS)
            forget_most(server)
            with attack(target):
                time.sleep(0.5)
                others = ask(target.url, people, paths, seconds=SECONDS)
            most = max(used(pid)[2] for pid in web_processes(server))
            times = others.percentile(99) / calm.percentile(99)
            print(
                f"{name:33} calm: {calm}; attacked: {others}, {times:.1f} times; "
                f"failed: {len(others.failures)} of {len(others.seconds)} "
                f"{sorted(set(others.failures))}; {most} MiB",
                flush=True,
            )
            time.sleep(5)  # what was begun is done meanwhile


@contextmanager
def deployment(folder: Path, **variables: str) -> Iterator[tuple[Target, Server]]:
    """What docs/operations.md deploys, with people in it, and a Stripe that says nothing."""
    redis_port = free_port()
    redis = ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", ""]
    with ExitStack() as stack:
        cache = stack.enter_context(running([*redis, "--dir", str(folder)], redis_port))
        stripe = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        variables = {
            "SECRET_KEY": KEY,
            "PROXIES": "1",
            "CACHE_URL": f"redis://127.0.0.1:{redis_port}/0",
            "STRIPE_API_KEY": "sk_test_x",
            "STRIPE_WEBHOOK_SECRETS": "whsec_x",
            "STRIPE_API_BASE": f"http://127.0.0.1:{stripe.getsockname()[1]}",
            "ALLOWED_HOSTS": "127.0.0.1",
        } | variables
        if os.environ.get("DATABASE_URL", "").startswith("postgres"):
            variables["DATABASE_URL"] = os.environ["DATABASE_URL"]
        own = environment(folder, **variables)
        command(manage("migrate", "--skip-checks"), own).check_returncode()
        prepared = command(manage("shell", "--no-imports", "-c", PREPARE), own)
        prepared.check_returncode()
        found = json.loads(prepared.stdout.splitlines()[-1])
        server = Server(folder, workers=os.cpu_count() or 1, **variables)
        stack.callback(server.process.wait)
        stack.callback(server.process.kill)
        url = stack.enter_context(nginx(folder, server))
        yield Target(url=url, redis=cache, **found), server

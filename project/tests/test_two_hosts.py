"""Two web hosts and two workers on one PostgreSQL, one Redis and one storage for media: nothing a
person notices depends on which of them did it.

Not part of the default run: `DATABASE_URL=postgres://… uv run --group hosts pytest -m hosts`. Needs
`redis-server`; the storage is moto's, of the group `hosts`.
"""

import io
import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_q.models import Schedule, Task
from PIL import Image

from conftest import require_or_skip
from lms.models import Subscription
from lms.tests.factories import CourseFactory
from people.hashers import Argon2idPasswordHasher
from people.models import User
from people.tests.factories import UserFactory
from project.common.background.queue import last_execution, synchronise_schedules
from project.common.background.schedules import SCHEDULES
from project.mail.tests.sink import Sink
from project.tests.processes import KEY, Running, environment, manage, wait_until

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
]

PASSWORD = "learn with everybody"
SUBSCRIBERS = 300
ATTEMPTS = 5
NUMBERS = itertools.count(1)
HEADERS = {"X-Forwarded-Proto": "https"}


@dataclass
class Host:
    """A client that always asks the same web host, from this address; without one each request
    comes from another."""

    url: str
    address: str = ""

    def ask(self, method: str, path: str, token: str = "", **options: Any) -> requests.Response:
        """Ask the API."""
        address = self.address or f"198.51.100.{next(NUMBERS) % 250}"
        headers = HEADERS | {"X-Forwarded-For": address}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return requests.request(
            method, f"{self.url}/api/v1/{path}", headers=headers, timeout=60, **options
        )

    def log_in(self, user: User) -> dict[str, str]:
        answer = self.ask("POST", "auth/token", json={"email": user.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json()
        return tokens


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


@contextmanager
def service(port: int, *command: str, variables: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Run a command that listens on this port, until the block is left."""
    with subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, f"{command} did not start"
            yield
        finally:
            process.terminate()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis that keeps nothing."""
    require_or_skip(shutil.which("redis-server"), "redis-server")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with service(port, *command, "--dir", str(tmp_path)):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def bucket() -> Iterator[str]:
    """A STORAGE_URL for an empty bucket on an S3-compatible server."""
    boto3 = pytest.importorskip("boto3", reason="boto3 and moto are in the group `hosts` of uv")
    port = free_port()
    with service(port, sys.executable, "-m", "moto.server", "-p", str(port)):
        key, host = "testing", f"127.0.0.1:{port}"
        keys = {"aws_access_key_id": key, "aws_secret_access_key": key}
        client = boto3.client("s3", endpoint_url=f"http://{host}", region_name="us-east-1", **keys)
        client.create_bucket(Bucket="media")
        yield f"s3://{key}:{key}@{host}/media?scheme=http&region=us-east-1"


@pytest.fixture
def production(redis: str, bucket: str, sink: Sink) -> dict[str, str]:
    """The variables that both hosts and both workers have."""
    name = str(connection.settings_dict["NAME"])
    return {
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": "127.0.0.1",
        "PROXIES": "1",
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl(),
        "CACHE_URL": redis,
        "STORAGE_URL": bucket,
        "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}",
        "THROTTLE_LOGIN": f"{ATTEMPTS}/min",
        "SITE_URL": "https://school.example",
        "FRONTEND_URL": "https://app.school.example",
    }


@pytest.fixture
def hosts(tmp_path: Path, production: dict[str, str]) -> Iterator[tuple[Host, Host]]:
    """Two web servers that share nothing but what the variables name."""
    # With production's storage, whose manifest the servers read; that of the tests writes none.
    subprocess.run(
        manage("collectstatic", "--noinput"),
        env=environment(tmp_path, **production),
        cwd=settings.BASE_DIR,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    started = []
    with ExitStack() as stack:
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            port = free_port()
            command = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py"]
            command += ["project.wsgi", "--bind", f"127.0.0.1:{port}"]
            variables = environment(folder, TMPDIR=str(folder), **production)
            stack.enter_context(service(port, *command, variables=variables))
            started.append(Host(f"http://127.0.0.1:{port}"))
        one, other = started
        yield one, other


@pytest.fixture
def workers(tmp_path: Path, production: dict[str, str]) -> Iterator[list[Running]]:
    synchronise_schedules(SCHEDULES)
    started = []
    for name in ("worker", "second-worker"):
        folder = tmp_path / name
        folder.mkdir()
        variables = environment(folder, TMPDIR=str(folder), **production)
        started.append(Running(folder, "work", variables=variables))
    yield started
    for one in started:
        one.end()


def person(role: str, **fields: Any) -> User:
    user = UserFactory.create(email=f"{role}@school.example", **fields)
    # By the hasher that the hosts have; that of the tests is no good there.
    user.password = Argon2idPasswordHasher().encode(PASSWORD, "a" * 22)
    user.save(update_fields=["password"])
    return user


def test_guesses_are_counted_by_both_hosts_together(hosts: tuple[Host, Host]) -> None:
    for host in hosts:
        host.address = "203.0.113.7"
    wrong = {"email": "guessed@school.example", "password": "guess after guess"}

    statuses = [
        host.ask("POST", "auth/token", json=wrong).status_code for host in list(hosts) * ATTEMPTS
    ]

    assert statuses == [401] * ATTEMPTS + [429] * ATTEMPTS


def test_who_logged_in_to_the_admin_on_one_host_is_logged_in_on_the_other(
    hosts: tuple[Host, Host],
) -> None:
    one, other = hosts
    administrator = person("administrator", is_staff=True, is_superuser=True)
    headers = HEADERS | {"Referer": f"{one.url}/".replace("http:", "https:")}
    page = requests.get(f"{one.url}/admin/login/", headers=headers, timeout=60)
    form = {"username": administrator.email, "password": PASSWORD, "next": "/admin/"}
    form["csrfmiddlewaretoken"] = page.text.split('name="csrfmiddlewaretoken" value="')[1][:64]
    # The cookies are for HTTPS only, which the proxy would speak.
    cookies = {"Cookie": f"csrftoken={page.cookies['csrftoken']}"}
    answer = requests.post(
        f"{one.url}/admin/login/",
        data=form,
        headers=headers | cookies,
        timeout=60,
        allow_redirects=False,
    )
    session = {"Cookie": f"sessionid={answer.cookies['sessionid']}"}

    page = requests.get(
        f"{other.url}/admin/", headers=headers | session, timeout=60, allow_redirects=False
    )

    assert page.status_code == 200


def test_a_picture_uploaded_to_one_host_is_seen_and_deleted_through_the_other(
    hosts: tuple[Host, Host],
) -> None:
    one, other = hosts
    access = one.log_in(person("author"))["access"]
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")

    uploaded = one.ask("PUT", "users/me/avatar", access, files={"file": picture.getvalue()}).json()
    seen = other.ask("GET", "users/me", access).json()["avatar"]["url"]

    assert seen == uploaded["avatar"]["url"]
    assert requests.get(seen, timeout=60).content
    assert other.ask("DELETE", "users/me/avatar", access).status_code == 204
    assert not requests.get(seen, timeout=60).ok


def test_a_token_of_one_host_is_good_on_the_other_and_ends_on_both(
    hosts: tuple[Host, Host],
) -> None:
    one, other = hosts
    tokens = one.log_in(person("learner"))
    access, again = tokens["access"], {"refresh": tokens["refresh"]}

    assert other.ask("GET", "users/me", access).status_code == 200
    assert one.ask("POST", "auth/logout", access, json=again).status_code == 204
    assert other.ask("POST", "auth/token/refresh", json=again).status_code == 401
    changed = {"old_password": PASSWORD, "new_password": f"{PASSWORD} anew"}
    assert one.ask("POST", "auth/password/change", access, json=changed).status_code == 200
    assert other.ask("GET", "users/me", access).status_code == 401


def test_subscribers_get_one_mail_each_with_both_workers_at_work(
    hosts: tuple[Host, Host], workers: list[Running], sink: Sink
) -> None:
    one, other = hosts
    author = person("author")
    quiet = author.date_joined - timedelta(days=1)
    course = CourseFactory.create(owner=author, is_published=True, materials_updated_at=quiet)
    people = User.objects.bulk_create(
        User(email=f"reader{number}@school.example") for number in range(SUBSCRIBERS)
    )
    Subscription.objects.bulk_create(Subscription(user=one, course=course) for one in people)
    access = other.log_in(author)["access"]

    changed = one.ask("PATCH", f"courses/{course.pk}", access, json={"description": "New."})

    assert changed.status_code == 200
    wait_until(lambda: len(sink.counts) == SUBSCRIBERS, 90)
    time.sleep(5)  # for what should not come
    assert sink.counts.total() == SUBSCRIBERS


def test_schedules_that_are_due_for_both_workers_run_once(workers: list[Running]) -> None:
    daily = Schedule.objects.filter(schedule_type=Schedule.CRON)
    functions = list(daily.values_list("func", flat=True))
    for _time in range(2):
        Task.objects.all().delete()
        daily.update(next_run=timezone.now() - timedelta(seconds=1))
        ran = Task.objects.filter(func__in=functions)
        wait_until(lambda ran=ran: ran.count() >= len(functions), 90)  # type: ignore[misc]
        time.sleep(35)  # until the other worker has looked at the schedules, too
        assert sorted(ran.values_list("func", flat=True)) == sorted(functions)


def test_with_one_worker_gone_the_other_one_does_the_work(workers: list[Running]) -> None:
    wait_until(last_execution, 90)
    workers[0].end()
    before = last_execution()
    wait_until(lambda: last_execution() != before, 90)

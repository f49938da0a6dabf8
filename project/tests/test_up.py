"""`manage.py up` as a person meets it: real processes, real signals, a folder of their own."""

import json
import os
import re
import signal
import socket
import stat
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from people.models.users import DEMO_PASSWORD
from project.tests import tour
from project.tests.processes import (
    KEY,
    Running,
    environment,
    manage,
    processes_of,
    run,
    wait_until,
)

# Its port is the same for all that run on this machine.
WITHOUT_SANDBOX = {"STRIPE_API_KEY": "sk_test_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"}
pytestmark = pytest.mark.usefixtures("own_processes")


class School(Running):
    """A running `up`."""

    def wait_for_workers(self, times: int = 1) -> None:
        self.wait_until(lambda: self.text.count("ready for work") >= 2 * times)

    @property
    def url(self) -> str:
        found = re.search(r"Parta is at (\S+)", self.text)
        assert found is not None
        return found[1]

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=20) as response:
            return bytes(response.read())

    def receipt_of(self, email: str) -> str:
        """The address of a receipt, as the API tells it to its buyer."""
        body = json.dumps({"email": email, "password": DEMO_PASSWORD}).encode()
        kind = {"Content-Type": "application/json"}
        log_in = urllib.request.Request(f"{self.url}api/v1/auth/token", body, kind)
        with urllib.request.urlopen(log_in, timeout=20) as response:
            token = json.load(response)["access"]
        headers = {"Authorization": f"Bearer {token}"}
        paid = urllib.request.Request(f"{self.url}api/v1/payments?status=paid", headers=headers)
        with urllib.request.urlopen(paid, timeout=20) as response:
            return str(json.load(response)["items"][0]["receipt_url"])


def nothing_runs_in(folder: Path) -> bool:
    return not processes_of(folder)


@pytest.fixture
def start() -> Iterator[Callable[..., School]]:
    """Starts a school that is gone when the test ends, whatever happens."""
    schools: list[School] = []

    def start(folder: Path, *arguments: str, **variables: str) -> School:
        variables = environment(folder, **variables or WITHOUT_SANDBOX)
        schools.append(School(folder, "up", "--port", "0", *arguments, variables=variables))
        return schools[-1]

    yield start
    for school in schools:
        school.end()


def test_first_start_serves_the_school_of_the_tour_until_ctrl_c(
    start: Callable[..., School], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        sandbox_port = str(free.getsockname()[1])
    school = start(tmp_path, STRIPE_SANDBOX_PORT=sandbox_port)
    school.wait_for_workers()
    env_file = tmp_path / ".env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    text = env_file.read_text()
    assert re.search(r"^SECRET_KEY=\S{50,}$", text, re.MULTILINE)
    assert re.search(r"^DEBUG=on$", text, re.MULTILINE)

    wait_until(lambda: "Processed" in school.text)  # the canary went through the worker
    assert b'"status": "ok"' in school.get("readyz")
    for page in ("admin/login/", "api/v1/docs", "static/admin/css/base.css"):
        assert school.get(page)
    wait_until(lambda: f"Stripe sandbox at http://127.0.0.1:{sandbox_port}" in school.text)
    assert f"{school.url}admin/" in school.text
    assert f"{school.url}api/v1/docs" in school.text
    for email, role in (("admin", "administrator"), ("moderator", "moderator"), ("anna", "author")):
        assert re.search(rf"{email}@parta.example +{DEMO_PASSWORD} +{role}", school.text)
    assert tour.take(f"{school.url}api/v1") == 10
    assert school.receipt_of("lev@parta.example").startswith(f"{school.url}payments/receipt/")

    # As a terminal does it: the signal goes to the whole group in the foreground.
    os.killpg(school.process.pid, signal.SIGINT)
    assert school.wait() == 0
    assert "Traceback" not in school.text
    assert processes_of(tmp_path) == {}
    assert env_file.read_text() == text


def test_a_dead_cluster_is_replaced_and_a_dead_web_server_ends_all(
    start: Callable[..., School], prepared: Path
) -> None:
    school = start(prepared, "--no-demo")
    school.wait_for_workers()
    assert "Demo accounts" not in school.text
    assert (prepared / ".env").read_text() == f"SECRET_KEY={KEY}\nDEBUG=on\n"
    os.kill(school.main_pid("qcluster"), signal.SIGKILL)
    school.wait_for_workers(times=2)
    assert "cluster stopped by itself (killed by SIGKILL)" in school.text
    os.kill(school.main_pid("gunicorn"), signal.SIGKILL)
    assert school.wait() == 1
    assert "web stopped by itself (killed by SIGKILL)" in school.text
    assert processes_of(prepared) == {}


def test_nothing_survives_a_killed_parent(start: Callable[..., School], prepared: Path) -> None:
    school = start(prepared, "--no-demo")
    # Master and worker of the web; the guard with its watcher, and what it guards.
    school.wait_until(lambda: len(school.pids("gunicorn")) > 1 and len(school.pids("qcluster")) > 4)
    school.process.kill()
    school.wait()
    wait_until(partial(nothing_runs_in, prepared))


def refused(arguments: list[str], variables: dict[str, str]) -> str:
    """Run `up`, which has to end by itself with one line on standard error; return that."""
    env_file = Path(variables["ENV_FILE"])
    if env_file.parent.is_dir():
        env_file.touch()  # the start with a file is the quicker one
    result = run(manage("up", "--port", "0", *arguments), variables)
    assert result.returncode != 0, result.stdout
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(
            ["--port", str(port)], environment(tmp_path, SECRET_KEY=KEY, **WITHOUT_SANDBOX)
        )
    assert str(port) in line
    assert "in use" in line


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DATABASE_URL": "postgres://user:hidden@127.0.0.1:1/school"}, "127.0.0.1:1/school"),
        ({"MEDIA_ROOT": "/dev/null/media"}, "/dev/null/media"),
        ({"ENV_FILE": "/dev/null/.env"}, "/dev/null/.env"),
        ({"CURRENCY": "XXX"}, "CURRENCY"),
        ({"WORKERS": "many"}, "WORKERS"),
    ],
    ids=str,
)
def test_a_fault_is_one_clear_line(
    tmp_path: Path, variables: dict[str, str], expected: str
) -> None:
    line = refused([], environment(tmp_path, SECRET_KEY=KEY, **WITHOUT_SANDBOX) | variables)
    assert expected in line
    assert "hidden" not in line

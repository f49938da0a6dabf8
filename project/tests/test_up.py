"""`manage.py up` as a person meets it: real processes, real signals, a folder of their own."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from project import demo
from project.tests.processes import environment, manage, processes_of, run, wait_until

KEY = "only-for-tests-and-long-enough-for-a-signature"
# Its port is the same for all that run on this machine.
WITHOUT_SANDBOX = {"STRIPE_API_KEY": "sk_test_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


class School:
    """A running `up`."""

    def __init__(self, folder: Path, *arguments: str, variables: dict[str, str]) -> None:
        self.folder = folder
        self.output = folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                manage("up", "--port", "0", *arguments),
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(
            lambda: self.text.count("ready for work") >= 2 or self.process.poll() is not None
        )
        assert self.process.poll() is None, self.text

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def url(self) -> str:
        found = re.search(r"Parta is at (\S+)", self.text)
        assert found is not None
        return found[1]

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=20) as response:
            return bytes(response.read())

    def child(self, word: str) -> int:
        """The process id of the direct child with this word in its command."""
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        commands = processes_of(self.folder)
        return next(pid for pid in map(int, children) if word in commands[pid])

    def wait(self) -> int:
        return self.process.wait(timeout=60)


def nothing_runs_in(folder: Path) -> bool:
    return not processes_of(folder)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `up` has run before: the starts in it have little to prepare."""
    folder = tmp_path_factory.mktemp("prepared")
    variables = environment(folder, SECRET_KEY=KEY)
    assert run(manage("migrate", "--verbosity", "0"), variables).returncode == 0
    (folder / ".env").write_text(f"SECRET_KEY={KEY}\nDEBUG=on\n")
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., School]]:
    """Starts a school that is gone when the test ends, whatever happens."""
    schools: list[School] = []

    def start(folder: Path, *arguments: str, **variables: str) -> School:
        variables = environment(folder, **variables or WITHOUT_SANDBOX)
        schools.append(School(folder, *arguments, variables=variables))
        return schools[-1]

    yield start
    for school in schools:
        if school.process.poll() is None:
            school.process.kill()
        school.wait()
        wait_until(partial(nothing_runs_in, school.folder))


def test_first_start_serves_a_demo_school_until_ctrl_c(
    start: Callable[..., School], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        sandbox_port = str(free.getsockname()[1])
    school = start(tmp_path, STRIPE_SANDBOX_PORT=sandbox_port)
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
        assert re.search(rf"{email}@parta.example +{demo.PASSWORD} +{role}", school.text)

    # As a terminal does it: the signal goes to the whole group in the foreground.
    os.killpg(school.process.pid, signal.SIGINT)
    assert school.wait() == 0
    assert "Traceback" not in school.text
    assert processes_of(tmp_path) == {}
    assert env_file.read_text() == text


def test_sigterm_ends_everything(start: Callable[..., School], prepared: Path) -> None:
    school = start(prepared, "--no-demo")
    assert "Demo accounts" not in school.text
    assert (prepared / ".env").read_text() == f"SECRET_KEY={KEY}\nDEBUG=on\n"
    school.process.send_signal(signal.SIGTERM)
    assert school.wait() == 0
    assert processes_of(prepared) == {}


def test_nothing_survives_a_killed_parent(start: Callable[..., School], prepared: Path) -> None:
    school = start(prepared, "--no-demo")
    assert len(processes_of(prepared)) > 5  # the worker alone has five
    school.process.kill()
    school.wait()
    wait_until(partial(nothing_runs_in, prepared))


def test_a_dead_child_ends_the_rest_and_is_named(
    start: Callable[..., School], prepared: Path
) -> None:
    school = start(prepared, "--no-demo")
    os.kill(school.child("qcluster"), signal.SIGKILL)
    assert school.wait() == 1
    assert "worker stopped by itself (killed by SIGKILL)" in school.text
    assert processes_of(prepared) == {}


def refused(arguments: list[str], variables: dict[str, str]) -> str:
    """Run `up`, which has to end by itself with one line on standard error; return that."""
    result = run(manage("up", "--port", "0", *arguments), variables)
    assert result.returncode != 0, result.stdout
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(["--port", str(port)], environment(tmp_path, **WITHOUT_SANDBOX))
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

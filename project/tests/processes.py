"""Running commands of the project as an operator does: own environment, own files, own processes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

KEY = "only-for-tests-and-long-enough-for-a-signature"


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """The variables of a person who has just cloned the project, with all its files in `folder`."""
    coverage = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    return {
        **coverage,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ENV_FILE": str(folder / ".env"),
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "MEDIA_ROOT": str(folder / "media"),
        "PRIVATE_ROOT": str(folder / "private"),
        **variables,
    }


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=variables,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def wait_until(
    condition: Callable[[], object], seconds: float = 60, *, pause: float = 0.05
) -> None:
    """Return as soon as the condition holds; AssertionError if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


def processes_of(folder: Path) -> dict[int, str]:
    """Process ids and commands of all that runs with files in `folder`; zombies don't run."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            own = f"HOME={folder}".encode() in (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile
            continue
        if own and command:
            found[int(process.name)] = command
    return found


class Running:
    """A command that runs on, with its output in a file. Its processes are known by their HOME."""

    def __init__(self, folder: Path, *arguments: str, variables: dict[str, str]) -> None:
        self.folder = folder
        self.variables = variables
        self.output = folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                manage(*arguments),
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, condition: Callable[[], object]) -> None:
        """AssertionError, with the output, if the command ends before."""
        wait_until(lambda: self.process.poll() is not None or condition())
        assert self.process.poll() is None, self.text

    @property
    def text(self) -> str:
        return self.output.read_text()

    def pids(self, word: str) -> set[int]:
        """The processes with this word in their command."""
        commands = processes_of(self.folder)
        return {pid for pid, command in commands.items() if word in command}

    def main_pid(self, word: str) -> int:
        """Of the processes with this word in their command, the one that leads a group."""
        return next(pid for pid in self.pids(word) if os.getpgid(pid) == pid)

    def wait(self) -> int:
        return self.process.wait(timeout=60)

    def end(self) -> None:
        """Kill it and what it started, whatever state that is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pid in processes_of(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes_of(self.folder))


class Server:
    """Gunicorn as in production, with its log in a file."""

    def __init__(
        self, folder: Path, *, workers: int = 1, bind: str = "127.0.0.1:0", **variables: str
    ) -> None:
        self.log = folder / "log"
        given = {
            "SECRET_KEY": KEY,
            "ALLOWED_HOSTS": "127.0.0.1",
            "HTTPS": "off",
        }
        variables = environment(folder, **given | variables)
        command = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py", "project.wsgi"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--bind", bind, "--workers", str(workers)],
                env=variables,
                cwd=settings.BASE_DIR,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: "Booting worker" in self.log.read_text())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    @property
    def url(self) -> str:
        message = next(line["message"] for line in self.lines() if "Listening" in line["message"])
        return str(message.split()[2])

    def send(self, request: bytes) -> bytes:
        """Send bytes that need not be HTTP; return all that came back until the connection ended."""
        address = urlsplit(self.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def get(self, path: str, request_id: str) -> int:
        url = self.url + path
        request = urllib.request.Request(url, headers={"X-Request-Id": request_id})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

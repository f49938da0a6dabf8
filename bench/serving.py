"""Web servers as in production, and what they cost by the operating system's own accounting."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
# As behind a proxy that ends HTTPS; the fewest variables with which production works.
PRODUCTION = {
    "DEBUG": "off",
    "HTTPS": "on",
    "PROXIES": "1",
    "ALLOWED_HOSTS": "127.0.0.1",
    "LOG_LEVEL": "INFO",
    # All people of the measurement come from one address.
    "THROTTLE_LOGIN": "1000000/s",
}
# Fresh workers in the middle of a round would take their costs with them.
NO_RECYCLING = ["--max-requests", "0"]


@dataclass(frozen=True)
class Server:
    """A running web server: gunicorn's first process and its workers."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    database: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        return children_of(self.process.pid)

    def processes(self) -> list[int]:
        return [self.process.pid, *self.workers()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    name: str, application: str, *arguments: str, port: int = 0, **environment: str
) -> Iterator[Server]:
    """Serve a WSGI application as it is shipped, until the block is left."""
    command = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py"]
    command += ["--bind", "127.0.0.1:{port}", *NO_RECYCLING, *arguments, application]
    with started(name, command, port=port, **environment) as one:
        yield one


@contextmanager
def started(
    name: str, command: list[str], *, port: int = 0, **environment: str
) -> Iterator[Server]:
    """Run the command of a web server, which names its `{port}`, with the settings of production;
    end it when the block is left."""
    port = port or free_port()
    collect_static_files()
    with subprocess.Popen(
        [argument.format(port=port) for argument in command],
        cwd=ROOT,
        env=surroundings() | PRODUCTION | environment,
        stdout=subprocess.DEVNULL,
        stderr=None if os.environ.get("BENCH_SHOW_LOG") else subprocess.DEVNULL,
    ) as process:
        try:
            wait_until_answering(port, process)
            yield Server(name, port, process, (os.environ | environment).get("DATABASE_URL", ""))
        finally:
            process.terminate()
            process.wait()


def surroundings() -> dict[str, str]:
    """The environment of a process as on a server, where compiled files are kept."""
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


@cache
def collect_static_files() -> None:
    """Part of a deployment; pages of the admin need it."""
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=os.environ | PRODUCTION, check=True)


def wait_until_answering(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            connection.close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                message = "the web server did not start; BENCH_SHOW_LOG=1 shows what it says"
                raise RuntimeError(message) from None
            time.sleep(0.02)
        else:
            return


def children_of(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]


def cpu_of(pid: int) -> float:
    """Seconds that the processor has worked for a process, 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def backends(url: str) -> list[int]:
    """The processes of PostgreSQL that work for clients of this database; none with SQLite."""
    if not url.startswith("postgres"):
        return []
    with psycopg.connect(urlsplit(url)._replace(query="").geturl()) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
            " AND backend_type <> 'autovacuum worker'",
            [connection.info.backend_pid],
        ).fetchall()
    return [pid for (pid,) in rows]


@dataclass(frozen=True)
class Cost:
    """Seconds of the processor."""

    server: float
    database: float

    @property
    def total(self) -> float:
        return self.server + self.database


class Meter:
    """What a server and its database cost between `__init__` and `read`. Other servers on the same
    database have to be idle meanwhile: its processes are counted for all of them."""

    def __init__(self, target: Server) -> None:
        self.target = target
        self.before = {pid: cpu_of(pid) for pid in target.processes()}
        self.backends_before = {pid: cpu_of(pid) for pid in backends(self.target.database)}

    def read(self) -> Cost:
        return Cost(
            sum(cpu_of(pid) - self.before.get(pid, 0.0) for pid in self.target.processes()),
            sum(
                cpu_of(pid) - self.backends_before.get(pid, 0.0)
                for pid in backends(self.target.database)
            ),
        )


def memory_of(pid: int) -> tuple[int, int]:
    """RSS and PSS (shared pages by their share) of a process in MiB."""
    fields = {
        line.split(":")[0]: int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    }
    return fields["Rss"] // 1024, fields["Pss"] // 1024

"""Web servers as in production, and what they cost by the operating system's own accounting."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

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
}


@dataclass(frozen=True)
class Server:
    """A running web server: gunicorn's first process and its workers."""

    address: str
    process: "subprocess.Popen[bytes]"

    def cpu(self) -> tuple[dict[int, float], dict[int, float]]:
        """The seconds that the processor has worked for each process: for those of the server, and
        for those of its database, which work for all other servers on it, too."""
        pid = self.process.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        groups = [pid, *map(int, workers)], backends()
        ours, database = ({one: cpu_of(one) for one in group} for group in groups)
        return ours, database


def cpu_of(pid: int) -> float:
    """0 if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def backends() -> list[int]:
    """The processes of PostgreSQL that work for clients of this database; none with SQLite."""
    if not os.environ["DATABASE_URL"].startswith("postgres"):
        return []
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
            " AND backend_type <> 'autovacuum worker'",
            [connection.info.backend_pid],
        ).fetchall()
    return [pid for (pid,) in rows]


@contextmanager
def served(application: str, **environment: str) -> Iterator[Server]:
    """Serve a WSGI application as it is shipped, until the block is left."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    # Fresh workers in the middle of a round would take their costs with them.
    command = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py", "--max-requests", "0"]
    # Compiled files are kept on a server.
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    surroundings = {name: value for name, value in os.environ.items() if name not in unwanted}
    with subprocess.Popen(
        [*command, "--bind", address, application],
        cwd=ROOT,
        env=surroundings | PRODUCTION | environment,
        stdout=subprocess.DEVNULL,
        stderr=None if os.environ.get("BENCH_SHOW_LOG") else subprocess.DEVNULL,
    ) as process:
        try:
            wait_until_answering(address, process)
            yield Server(f"http://{address}", process)
        finally:
            process.terminate()
            process.wait()


def wait_until_answering(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        time.sleep(0.05)
        with suppress(OSError), closing(HTTPConnection(address, timeout=30)) as connection:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            message = "the web server did not start; BENCH_SHOW_LOG=1 shows what it says"
            raise RuntimeError(message)

"""What others notice of an attack, and what the processes of a server take."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from project.tests.processes import Server

FORK = get_context("fork")


@dataclass
class Answers:
    """What people were answered: how long they waited, and what it was."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def percentile(self, part: float) -> float:
        """In milliseconds."""
        return sorted(self.seconds)[int(len(self.seconds) * part / 100)] * 1000

    def __str__(self) -> str:
        return f"p50 {self.percentile(50):.0f} ms, p99 {self.percentile(99):.0f} ms"


class FromAddress(HTTPAdapter):
    """Connections from this address of the machine's own."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, source_address=(self.address, 0))


def ask(
    url: str, tokens: list[str], paths: list[str], *, seconds: float, pause: float = 0.05
) -> Answers:
    """Have a person for each token ask for these paths in turn, each from an address of their own."""
    answers = Answers()
    until = time.monotonic() + seconds

    def person(number: int, token: str) -> None:
        with requests.Session() as session:
            session.mount("http://", FromAddress(f"127.0.1.{number}"))
            session.headers["Authorization"] = f"Bearer {token}"
            for path in cycle(paths):
                if (began := time.monotonic()) > until:
                    return
                try:
                    status = session.get(url + path, timeout=60).status_code
                except requests.RequestException as error:
                    answers.failures.append(type(error).__name__)
                else:
                    if status != 200:
                        answers.failures.append(f"{status} {path}")
                answers.seconds.append(time.monotonic() - began)
                time.sleep(pause)

    people = [Thread(target=person, args=numbered) for numbered in enumerate(tokens, 1)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    return answers


@contextmanager
def at_once(number: int, attack: Callable[[int], object]) -> Iterator[None]:
    """Have so many clients do this again and again meanwhile, in a process of their own: what they
    compute should not keep those waiting who measure."""
    process = FORK.Process(target=_repeat, args=[number, attack], daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _repeat(number: int, attack: Callable[[int], object]) -> None:
    def client(mine: int) -> None:
        while True:
            with suppress(OSError):  # those of requests are such, too
                attack(mine)

    for mine in range(number):
        Thread(target=client, args=[mine], daemon=True).start()
    Event().wait()


def web_processes(server: Server) -> list[int]:
    """The process ids of the server's workers; each is replaced after some thousand requests."""
    main = server.process.pid
    return [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]


def used(pid: int) -> tuple[float, int, int]:
    """Seconds of CPU, and MiB of memory now and at most."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    now, most = (int(status[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), now, most


def forget_most(server: Server) -> None:
    """Let the memory at most of its processes begin with what they use now."""
    for pid in web_processes(server):
        with suppress(FileNotFoundError):  # just replaced
            Path(f"/proc/{pid}/clear_refs").write_text("5")

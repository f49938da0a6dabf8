"""Runs several long-lived processes as one: if one ends, all end, and none survives its parent.

Each service gets a session of its own, so that Ctrl-C in the terminal reaches only the supervisor,
which then stops the services in order, and so that a service can be killed with all that it has
forked: the worker's forks would live on otherwise. Should the supervisor be killed itself, the
watcher (project/processes/orphans.py) does it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, cast

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_SECONDS = 0.1
# A worker in the middle of a task may finish it; what takes longer is run again later.
GRACE_SECONDS = 15.0
# `uv run` may pass on the Ctrl-C that the terminal has sent us already.
SECOND_THOUGHT_SECONDS = 1.0


@dataclass(frozen=True)
class Service:
    """A process to run: what to call it, its command, the sockets it takes over, and what it finds
    in its environment besides ours."""

    name: str
    command: Sequence[str]
    sockets: tuple[int, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Runs `services` in `folder` until a stop signal comes, one of them ends, or `find_fault`,
    which is asked again and again, says what is wrong with them.

    After a stop signal they have `grace` seconds; with a fault none: what hangs does not listen.
    """

    def __init__(
        self,
        services: Sequence[Service],
        folder: Path,
        *,
        grace: float = GRACE_SECONDS,
        find_fault: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.services = services
        self.folder = folder
        self.grace = grace
        self.find_fault = find_fault
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stop_asked_at: float | None = None
        self.in_a_hurry = False
        self.launcher = _uv_that_runs_us()

    def run(self, *, after: float = 0) -> str | None:
        """Start after so many seconds. Return None after a stop signal, or say which service ended
        by itself, and how, or what the fault is."""
        start_at = time.monotonic() + after
        handlers = {number: signal.signal(number, self._ask_to_stop) for number in STOP_SIGNALS}
        try:
            while self.stop_asked_at is None and self.launcher in {None, os.getppid()}:
                if self.processes:
                    if ended := self._find_end():
                        return ended
                elif time.monotonic() >= start_at:
                    self._start()
                time.sleep(POLL_SECONDS)
            return None
        finally:
            self._stop()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.stop_asked_at is None:
            self.stop_asked_at = now
        elif now - self.stop_asked_at > SECOND_THOUGHT_SECONDS:
            self.in_a_hurry = True

    def _start(self) -> None:
        script = str(Path(__file__).with_name("orphans.py"))
        watcher = self.processes["watcher"] = subprocess.Popen(
            [sys.executable, "-I", script], stdin=subprocess.PIPE, start_new_session=True
        )
        pipe = cast("IO[bytes]", watcher.stdin).fileno()
        for service in self.services:
            self.processes[service.name] = subprocess.Popen(
                service.command,
                cwd=self.folder,
                # What they say shows at once, in a file and a pipe too.
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(service.variables),
                stdin=subprocess.DEVNULL,
                pass_fds=service.sockets,
                start_new_session=True,
                # In the new process, before its program: there is no moment in which the watcher
                # doesn't know it. There are no threads.
                preexec_fn=lambda: os.write(pipe, b"%d\n" % os.getpid()),  # noqa: PLW1509
            )

    def _find_end(self) -> str | None:
        for name, process in self.processes.items():
            code = process.poll()
            if code is not None:
                how = f"exit code {code}"
                if code < 0:
                    how = f"killed by {signal.Signals(-code).name}"
                return f"{name} stopped by itself ({how})"
        fault = self.find_fault()
        self.in_a_hurry = self.in_a_hurry or fault is not None
        return fault

    def _stop(self) -> None:
        services = [process for name, process in self.processes.items() if name != "watcher"]
        for process in services:
            # To the first process alone: the worker's forks end at its word, after their task.
            process.terminate()
        deadline = time.monotonic() + self.grace
        while any(process.poll() is None for process in services):
            if self.in_a_hurry or time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        # The watcher is last, for until here it is needed; and it is not ended by closing its
        # input, or it would go and kill.
        watcher = self.processes.get("watcher")
        for process in [*services, *filter(None, [watcher])]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _uv_that_runs_us() -> int | None:
    """The process id of `uv run`, if that started us: when it is killed, nobody is left to stop us.

    Any other parent, such as a shell that ends after `nohup`, may leave us running.
    """
    parent = os.getppid()
    try:
        name = Path(f"/proc/{parent}/comm").read_text(encoding="utf-8").strip()
    except OSError:  # no Linux: `uv` passes on all signals but SIGKILL
        return None
    return parent if name == "uv" else None

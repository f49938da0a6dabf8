"""The supervisor with services that misbehave. Each tells the supervisor by itself what to do, so
that nothing has to wait for a clock."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from project.processes.supervisor import GRACE_SECONDS, Service, Supervisor
from project.tests.processes import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

FOREVER = "import signal; signal.pause()"
# A process of its own runs the supervisor that is sent signals: in ours other tests run.
SUPERVISED = """
from pathlib import Path
from project.processes.supervisor import Service, Supervisor
import sys
print(Supervisor([Service("stubborn", [sys.executable, "-c", sys.argv[2]])], Path(sys.argv[1])).run())
"""
# Forks, ignores the polite request, asks the supervisor to stop, and has it asked once more.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("pids", "a").write(f"{os.getpid()} ")
if os.fork() == 0:
    open("pids", "a").write(f"{os.getpid()} ")
    while True: signal.pause()
os.kill(os.getppid(), signal.SIGTERM)
time.sleep(1.2)
os.kill(os.getppid(), signal.SIGINT)
while True: signal.pause()
"""


def python(name: str, code: str) -> Service:
    return Service(name, [sys.executable, "-c", code])


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def raise_once(number: int, when: Callable[[], bool]) -> Callable[[], None]:
    """Look for no fault, but send ourselves a signal as soon as it is time."""
    sent: list[int] = []

    def look() -> None:
        if when() and not sent:
            sent.append(number)
            assert callable(signal.getsignal(number)), "it would end the tests"
            signal.raise_signal(number)

    return look


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_a_stop_signal_services_may_finish_and_signals_are_as_before(
    tmp_path: Path, number: int
) -> None:
    polite = (
        "import signal, sys, time\ndef end(*_):\n time.sleep(.2); open('done', 'w'); sys.exit()\n"
    )
    polite += "signal.signal(signal.SIGTERM, end); open('ready', 'w')\nwhile True: signal.pause()"
    before = signal.getsignal(number)
    supervisor = Supervisor(
        [python("polite", polite)],
        tmp_path,
        find_fault=raise_once(number, (tmp_path / "ready").exists),
    )
    assert supervisor.run() is None
    assert (tmp_path / "done").exists()
    assert signal.getsignal(number) is before


def test_who_is_deaf_has_its_grace_and_no_more(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w')\n"
    supervisor = Supervisor(
        [python("deaf", deaf + "while True: signal.pause()")],
        tmp_path,
        grace=0.5,
        find_fault=raise_once(signal.SIGTERM, ready.exists),
    )
    assert supervisor.run() is None
    assert supervisor.stop_asked_at is not None
    assert 0.5 <= time.monotonic() - supervisor.stop_asked_at < GRACE_SECONDS
    assert supervisor.processes["deaf"].poll() == -signal.SIGKILL


@pytest.mark.parametrize(("later", "hurried"), [(1.0, False), (1.01, True)])
def test_a_second_signal_is_impatience_unless_it_is_the_same_ctrl_c(
    tmp_path: Path, ticks: Any, later: float, *, hurried: bool
) -> None:
    ticks.now = 0.0
    supervisor = Supervisor([], tmp_path)
    supervisor._ask_to_stop(signal.SIGINT, None)
    ticks.now = later
    supervisor._ask_to_stop(signal.SIGTERM, None)
    assert (supervisor.stop_asked_at, supervisor.in_a_hurry) == (0.0, hurried)


def test_a_service_finds_its_variables_and_ours_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "a")
    code = "import os; open('seen', 'w').write(' '.join(map(os.environ.get, names)))"
    names = ["OURS", "THEIRS", "PYTHONUNBUFFERED"]
    command = [sys.executable, "-c", f"names = {names}; {code}"]
    service = Service("curious", command, variables={"THEIRS": "b"})
    began = time.monotonic()
    assert Supervisor([service], tmp_path).run(after=0.3) is not None
    assert time.monotonic() - began >= 0.3
    assert (tmp_path / "seen").read_text() == "a b 1"


def test_nothing_is_started_once_it_is_to_stop(tmp_path: Path) -> None:
    supervisor = Supervisor([python("late", "open('late', 'w')")], tmp_path)
    supervisor.launcher = os.getpid()
    assert supervisor.run(after=60) is None
    assert supervisor.processes == {}


def test_a_service_that_was_killed_is_said_to_be(tmp_path: Path) -> None:
    suicidal = python("suicidal", "import os; os.kill(os.getpid(), 9)")
    ended = Supervisor([python("steady", FOREVER), suicidal], tmp_path).run()
    assert ended == "suicidal stopped by itself (killed by SIGKILL)"


def test_service_that_ends_ends_all_and_is_named(tmp_path: Path) -> None:
    supervisor = Supervisor(
        [python("steady", FOREVER), python("hasty", "raise SystemExit(3)")], tmp_path
    )
    assert supervisor.run() == "hasty stopped by itself (exit code 3)"
    assert all(process.poll() is not None for process in supervisor.processes.values())


def test_impatience_kills_the_stubborn_with_their_forks(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", SUPERVISED, str(tmp_path), STUBBORN],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout.strip() == "None"
    assert time.monotonic() - began < GRACE_SECONDS
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_forks_that_outlive_their_parent_are_killed(tmp_path: Path) -> None:
    code = "import os, signal\nif os.fork() == 0:\n open('pid', 'w').write(str(os.getpid()))\n"
    code += " signal.pause()\nelse:\n while not os.path.exists('pid') or not open('pid').read(): 0"
    ended = Supervisor([python("careless", code)], tmp_path).run()
    assert ended == "careless stopped by itself (exit code 0)"
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(pid))


def test_services_stop_when_the_launcher_is_gone(tmp_path: Path) -> None:
    supervisor = Supervisor([python("steady", FOREVER)], tmp_path)
    supervisor.launcher = os.getpid()  # which is nobody's parent here
    assert supervisor.run() is None


def test_fault_ends_all_without_grace_and_is_told(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w')\n"
    deaf += "while True: signal.pause()"
    supervisor = Supervisor(
        [python("deaf", deaf)],
        tmp_path,
        find_fault=lambda: "it hangs" if (tmp_path / "ready").exists() else None,
    )
    began = time.monotonic()
    assert supervisor.run() == "it hangs"
    assert time.monotonic() - began < GRACE_SECONDS
    assert all(process.poll() is not None for process in supervisor.processes.values())


def test_command_that_does_not_exist_leaves_nothing_running(tmp_path: Path) -> None:
    services = [python("steady", FOREVER), Service("typo", ["/nonexistent/command"])]
    supervisor = Supervisor(services, tmp_path)
    with pytest.raises(FileNotFoundError):
        supervisor.run()
    processes: list[subprocess.Popen[bytes]] = list(supervisor.processes.values())
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)

"""The supervisor with services that misbehave. Each tells the supervisor by itself what to do, so
that nothing has to wait for a clock."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from project.supervisor import GRACE_SECONDS, Service, Supervisor
from project.tests.processes import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

FOREVER = "import signal; signal.pause()"
# A process of its own runs the supervisor that is sent signals: in ours other tests run.
SUPERVISED = """
from pathlib import Path
from project.supervisor import Service, Supervisor
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

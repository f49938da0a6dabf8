"""`manage.py up` as a person meets it: real processes, real signals, a folder of their own."""

import os
import re
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, expect

from conftest import BROWSER
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

# It takes a second to start.
WITHOUT_STAND_IN = {"STRIPE_API_KEY": "sk_test_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"}
USUAL_PORT_OF_STAND_IN = 8001
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

    def get(self, path: str) -> str:
        response = requests.get(self.url + path, timeout=20)
        response.raise_for_status()
        return response.text

    def log_in(self, email: str) -> dict[str, str]:
        body = {"email": email, "password": DEMO_PASSWORD}
        answer = requests.post(f"{self.url}api/v1/auth/token", json=body, timeout=20)
        return {"Authorization": f"Bearer {answer.json()['access']}"}

    def receipt_of(self, email: str) -> str:
        """The address of a receipt, as the API tells it to its buyer."""
        paid = f"{self.url}api/v1/payments?status=paid"
        answer = requests.get(paid, headers=self.log_in(email), timeout=20)
        return str(answer.json()["items"][0]["receipt_url"])

    def page_of_mail_to(self, email: str) -> str:
        """The address of the page that shows a mail, as soon as the worker says it."""
        line = re.compile(rf"^Mail to {email}: .+ — (\S+/outbox/\d+/)$", re.MULTILINE)
        self.wait_until(lambda: line.search(self.text))
        return str(line.findall(self.text)[0])

    def lets_in(self, origin: str) -> bool:
        """Whether a page of this origin may send what the front end sends."""
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,if-match",
        }
        answer = requests.options(f"{self.url}api/v1/courses", headers=headers, timeout=20)
        return answer.headers.get("Access-Control-Allow-Origin") == origin


def nothing_runs_in(folder: Path) -> bool:
    return not processes_of(folder)


@pytest.fixture
def start() -> Iterator[Callable[..., School]]:
    """Starts a school that is gone when the test ends, whatever happens."""
    schools: list[School] = []

    def start(folder: Path, *arguments: str, stand_in: bool = False, **variables: str) -> School:
        variables = environment(folder, **variables, **{} if stand_in else WITHOUT_STAND_IN)
        schools.append(School(folder, "up", "--port", "0", *arguments, variables=variables))
        return schools[-1]

    yield start
    for school in schools:
        school.end()


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody listens on the port, if nobody does, we."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def confirm_by_mail(browser: Browser, address: str) -> None:
    """As a person does it: the link in the mail leads to the front."""
    page = browser.new_page(locale="en-GB")
    page.goto(address)
    with page.expect_popup() as opened:
        page.frame_locator("iframe").locator("a").first.click()
    opened.value.get_by_role("button", name="Yes, it is mine").click()
    expect(opened.value.get_by_text("Your email is confirmed.")).to_be_visible()
    page.close()


def test_first_start_serves_the_school_of_the_tour_until_ctrl_c(
    start: Callable[..., School], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with taken(USUAL_PORT_OF_STAND_IN):
        school = start(tmp_path, stand_in=True)
        school.wait_until(lambda: "probes" in school.text)
    told = re.search(r"(http://\S+)/ \(a stand-in; port 8001 is taken\)", school.text)
    assert told is not None
    assert urlsplit(told[1]).port != USUAL_PORT_OF_STAND_IN
    school.wait_until(lambda: f"Stripe sandbox at {told[1]}" in school.text)
    school.wait_for_workers()
    env_file = tmp_path / ".env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    text = env_file.read_text()
    assert re.search(r"^SECRET_KEY=\S{50,}$", text, re.MULTILINE)
    assert re.search(r"^DEBUG=on$", text, re.MULTILINE)

    wait_until(lambda: "Processed" in school.text)  # the canary went through the worker
    assert '"status": "ok"' in school.get("readyz")
    for page in ("", "admin/login/", "api/v1/docs", "static/admin/css/base.css"):
        assert school.get(page)
    for place in ("admin/", "api/v1/docs", "outbox/"):
        assert f"{school.url}{place}" in school.text
    for email, role in (("admin", "administrator"), ("moderator", "moderator"), ("anna", "author")):
        assert re.search(rf"{email}@parta.example +{DEMO_PASSWORD} +{role}", school.text)
    assert "Git without fear" in school.get("api/v1/catalog/courses")
    assert tour.take(f"{school.url}api/v1") == 10
    assert school.receipt_of("lev@parta.example").startswith(f"{school.url}payments/receipt/")
    mail = school.page_of_mail_to("nora@example.com").removeprefix(school.url)
    assert f'href="{school.url}email/' in school.get(mail)
    assert mail in school.get("outbox/")
    if BROWSER:
        confirm_by_mail(request.getfixturevalue("browser"), school.url + mail)
    for origin in ("http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:4321"):
        assert school.lets_in(origin)
    for origin in ("http://localhost.evil.example", "http://192.168.1.5:3000", "null"):
        assert not school.lets_in(origin)

    # As a terminal does it: the signal goes to the whole group in the foreground.
    os.killpg(school.process.pid, signal.SIGINT)
    assert school.wait() == 0
    assert "Traceback" not in school.text
    assert processes_of(tmp_path) == {}
    assert env_file.read_text() == text


def test_a_dead_cluster_is_replaced_and_a_dead_web_server_ends_all(
    start: Callable[..., School], prepared: Path
) -> None:
    school = start(prepared, "--no-demo", SITE_URL="https://parta.example")
    school.wait_for_workers()
    assert "Demo accounts" not in school.text
    assert f"{school.url}admin/first-account/" in school.text
    body = {"email": "nora@example.com", "password": "correct horse battery"}
    requests.post(f"{school.url}api/v1/auth/register", json=body, timeout=20).raise_for_status()
    assert school.page_of_mail_to("nora@example.com").startswith("https://parta.example/outbox/")
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
        port = str(taken.getsockname()[1])
        environ = environment(tmp_path, SECRET_KEY=KEY)
        of_the_site = refused(["--port", port], environ | WITHOUT_STAND_IN)
        of_the_stand_in = refused([], environ | {"DEBUG": "on", "STRIPE_SANDBOX_PORT": port})
    for line, option in ((of_the_site, "--port"), (of_the_stand_in, "STRIPE_SANDBOX_PORT")):
        assert port in line
        assert "in use" in line
        assert option in line


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
    line = refused([], environment(tmp_path, SECRET_KEY=KEY, **WITHOUT_STAND_IN) | variables)
    assert expected in line
    assert "hidden" not in line

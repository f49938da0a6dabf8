"""The front as production serves it, from collected files, to a browser; a deployment, and trouble."""

import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import playwright.sync_api as playwright
import pytest
import requests
from playwright.sync_api import expect
from pytest_django import DjangoDbBlocker

from project.front.assets import FOLDER, LAZY, modules
from project.tests.processes import KEY, Server, environment, manage, run, wait_until
from project.tests.test_tabs import database_of_the_tests

# Where no test asks for the database, there are no tables to copy.
pytestmark = [
    pytest.mark.browser,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]
# KiB that a first visit costs at most.
FIRST_VISIT = 100
# Milliseconds: between two questions after a new version, and in which the API is tried again.
MINUTE, TRIES = 61_000, 11_000
# A server that has just been started loads the application first.
START = 30_000
# Static files of others, which the front does without.
OTHERS = ("admin", "ninja", "unfold")


class Deployed:
    """A server whose static files are exchanged as a whole, as those of a container are."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.static = folder, folder / "static"
        self.variables: dict[str, Any] = {
            "DJANGO_SETTINGS_MODULE": "project.front.tests.collected_settings",
            "STATIC_ROOT": str(self.static),
            "DATABASE_URL": database,
            "PUBLIC_CATALOG": "on",
        }
        self.collect()
        self.server = Server(folder, **self.variables)
        self.url = self.server.url

    def collect(self, **variables: str) -> None:
        shutil.rmtree(self.static, ignore_errors=True)
        ignored = [f"--ignore={name}" for name in OTHERS]
        command = manage("collectstatic", "--noinput", "--verbosity=0", *ignored)
        given = environment(self.folder, SECRET_KEY=KEY, **self.variables, **variables)
        collected = run(command, given)
        assert collected.returncode == 0, collected.stderr

    def deploy(self, name: str, text: str) -> None:
        """Have the next release run, in which a file of the front has this text."""
        path = self.folder / "next" / "front" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        former = self.workers()
        self.collect(NEXT_RELEASE=str(self.folder / "next"))
        self.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not former & self.workers())

    def workers(self) -> set[str]:
        pid = self.server.process.pid
        return {*Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def version(self) -> str:
        return requests.head(self.url, timeout=60).headers["ETag"].removeprefix("W/").strip('"')

    def stop(self) -> None:
        self.server.process.terminate()
        self.server.process.wait(timeout=60)

    def start_again(self) -> None:
        self.server = Server(self.folder, bind=self.url.partition("//")[2], **self.variables)


def served(folder: Path, blocker: DjangoDbBlocker) -> Iterator[Deployed]:
    with blocker.unblock():
        deployed = Deployed(folder, database_of_the_tests(folder))
    yield deployed
    deployed.stop()


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Deployed]:
    """One that stays as it is."""
    yield from served(tmp_path_factory.mktemp("site"), django_db_blocker)


@pytest.fixture
def deployed(
    tmp_path: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Deployed]:
    """One that the test may change."""
    yield from served(tmp_path, django_db_blocker)


@pytest.fixture
def open_tab(browser: playwright.Browser) -> Iterator[Callable[..., playwright.Page]]:
    contexts = []

    def open_tab(site: Deployed, **options: Any) -> playwright.Page:
        given = {"base_url": site.url, "locale": "en-GB"} | options
        contexts.append(browser.new_context(**given))
        page = contexts[-1].new_page()
        page.set_default_timeout(START)
        return page

    yield open_tab
    for context in contexts:
        context.close()


def test_a_first_visit_loads_each_file_once_and_little(site, open_tab):
    page = open_tab(site)
    faults: list[str] = []
    answers: list[playwright.Response] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda answer: answers.append(answer))
    page.goto("/")
    expect(page.get_by_role("search")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert faults == []
    paths = [urlsplit(answer.url).path for answer in answers]
    plain = [re.sub(r"\.[0-9a-f]{12}\.(\w+)$", r".\1", path) for path in paths]
    needed = {*modules(), "style.css", "start.js"} - LAZY
    assert sorted(plain) == sorted(
        {
            "/",
            *(f"/static/front/{name}" for name in needed),
            f"/front/texts/en/{site.version()}.js",
            "/static/parta/icon.svg",
            "/api/v1/meta",
            "/api/v1/catalog/courses",
        }
    )
    for answer in answers:
        if "/static/" in answer.url or "/texts/" in answer.url:
            assert "immutable" in answer.headers["cache-control"]
    sizes = sum(answer.request.sizes()["responseBodySize"] for answer in answers)
    assert sizes <= FIRST_VISIT * 1024


def test_a_tab_that_was_open_before_a_deployment_loads_the_new_version(deployed, open_tab):
    page = open_tab(deployed)
    page.clock.install()
    page.goto("/")
    courses = page.get_by_role("banner").get_by_role("link").first
    courses.click()
    mark = "document.documentElement.dataset.release"
    deployed.deploy("app.js", (FOLDER / "app.js").read_text() + f'\n{mark} = "next";\n')
    page.clock.fast_forward(MINUTE)
    with page.expect_response(lambda answer: answer.request.method == "HEAD"):
        courses.click()
    assert page.evaluate(mark) is None
    with page.expect_navigation():
        courses.click()
    expect(page.get_by_role("search")).to_be_visible(timeout=START)
    assert page.evaluate(mark) == "next"


def test_with_scripts_off_the_page_says_what_it_needs(site, open_tab):
    page = open_tab(site, java_script_enabled=False, locale="ru")
    page.goto("/courses/7")
    expect(page.get_by_role("heading")).to_have_text("Включите JavaScript")
    expect(page.locator("#not-started")).to_be_hidden()


@pytest.mark.parametrize("missing", ['type="module"', 'type="importmap"', "app."])
def test_a_browser_in_which_modules_do_not_start_is_told_so(site, open_tab, missing):
    page = open_tab(site, locale="ru")

    def spoil(route: playwright.Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(missing, 'type="x"'))

    page.route("**/", spoil)
    page.goto("/")
    expect(page.get_by_role("heading")).to_have_text("Страница не запустилась")


def test_while_the_api_is_away_the_page_says_so_and_goes_on_when_it_is_back(
    deployed, open_tab, tmp_path
):
    page = open_tab(deployed)
    page.clock.install()
    trouble, search = page.get_by_role("alert"), page.get_by_role("search")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(deployed.variables, "DATABASE_URL", f"sqlite:///{tmp_path}/no/db.sqlite3")
        deployed.stop()
        deployed.start_again()
    page.goto("/")
    expect(trouble).to_contain_text("temporarily unavailable")
    (tmp_path / "no").mkdir()
    shutil.copy(tmp_path / "db.sqlite3", tmp_path / "no")
    page.clock.run_for(TRIES)
    expect(search).to_be_visible(timeout=START)
    deployed.stop()
    search.get_by_role("searchbox").fill("Bread")
    search.get_by_role("button").click()
    expect(trouble).to_contain_text("can't be reached")
    deployed.start_again()
    page.clock.run_for(TRIES)
    expect(trouble).to_be_hidden(timeout=START)
    expect(search).to_be_visible()

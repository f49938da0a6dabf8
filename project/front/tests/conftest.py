"""The front in a browser, as somebody."""

import json
import time
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import playwright.sync_api as playwright
import pytest

from conftest import require_or_skip
from people.models import User
from people.tokens import issue_pair
from project.tests.test_docs_page import AXE

VIDEOS = "https://www.youtube-nocookie.com/"
# What a tab asks when it starts.
START = {"GET meta", "GET users/me"}


class Front:
    """The front in `page`. `requests` are those to the API since the last `open` or `follow`, such as
    `GET learning/courses`, but for what a tab asks when it starts; and the addresses of videos."""

    def __init__(self, page: playwright.Page) -> None:
        self.page = page
        self.requests: list[str] = []
        page.on("request", self._note)
        page.route(f"{VIDEOS}**", lambda route: route.fulfill(body="<title>A video</title>"))

    def log_in(self, user: User) -> None:
        """Be logged in without the form, in tests that begin behind it."""
        pair = asdict(issue_pair(user))
        tokens = pair | {"until": (time.time() + pair["expires_in"]) * 1000}
        self.page.goto("/healthz")
        keep = "tokens => localStorage.setItem('parta.tokens', tokens)"
        self.page.evaluate(keep, json.dumps(tokens))

    def open(self, path: str) -> None:
        """Open an address anew, and wait until nothing more is asked for."""
        self.requests.clear()
        self.page.goto(path)
        self.page.wait_for_load_state("networkidle")

    def follow(self, name: str) -> None:
        """Press the link of this name. Expect something of its screen before `requests` are judged."""
        self.requests.clear()
        self.page.get_by_role("link", name=name, exact=True).click()

    def check(self) -> None:
        """Nothing that axe knows of shuts anybody out, and nothing is wider than the window."""
        require_or_skip(AXE.exists(), "axe-core: npm ci in project/tests/typescript")
        self.page.evaluate(AXE.read_text())
        faults = self.page.evaluate("axe.run().then(({violations}) => violations)")
        assert faults == [], json.dumps(faults, indent=1)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def _note(self, request: playwright.Request) -> None:
        _site, api, path = urlsplit(request.url).path.partition("/api/v1/")
        told = f"{request.method} {path}"
        if api and told not in START:
            self.requests.append(told)
        elif request.url.startswith(VIDEOS):
            self.requests.append(request.url)


@pytest.fixture
def front(page: playwright.Page, live_server: Any, settings: Any) -> Front:
    settings.FRONTEND_URL_IS_SET = False
    settings.FRONTEND_URL = live_server.url
    return Front(page)

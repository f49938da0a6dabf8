"""The front in a browser, as somebody."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import playwright.sync_api as playwright
import pytest
from django.core.signals import request_started

from conftest import require_or_skip
from payments.provider import asking
from payments.provider import stripe as gateway
from payments.tests.sandbox import ControlledServer
from people.models import User
from people.tokens import issue_pair
from project.front.tests.walking import Operations, work
from project.tests.test_docs_page import AXE

VIDEOS = "https://www.youtube-nocookie.com/"
WEBHOOK = "/api/v1/payments/stripe/webhook"
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

    def log_in(self, user: User, login: str = "one") -> None:
        """Be logged in without the form, in tests that begin behind it."""
        pair = asdict(issue_pair(user))
        tokens = pair | {"login": login, "until": (time.time() + pair["expires_in"]) * 1000}
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
    settings.FRONTEND_URL = settings.SITE_URL = live_server.url
    return Front(page)


@pytest.fixture
def operations() -> Iterator[Operations]:
    noted = Operations()
    request_started.connect(noted.note)
    yield noted
    request_started.disconnect(noted.note)


@pytest.fixture
def stripe(settings: Any, live_server: Any, allowed_hosts: set[str]) -> Iterator[ControlledServer]:
    """The stand-in for Stripe; its webhooks arrive over HTTP."""
    settings.STRIPE_API_KEY = "sk_test_sandbox"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_sandbox"]
    for cache in (asking.client_of, asking.limit_of):
        cache.cache_clear()
    gateway._accounts.clear()
    with ControlledServer(webhook_url=live_server.url + WEBHOOK) as server:
        settings.STRIPE_API_BASE = server.base_url
        allowed_hosts.add(urlsplit(server.base_url).netloc)
        yield server
    for cache in (asking.client_of, asking.limit_of):
        cache.cache_clear()
    gateway._accounts.clear()


@pytest.fixture
def letter(sink: Any) -> Callable[[str, str], str]:
    """What the worker has to do is done; the link to a page of the front in the last mail to somebody."""

    def find(address: str, path: str) -> str:
        work()
        text = sink.messages(address)[-1].get_body(["plain"]).get_content()
        found = re.search(rf"http\S+/{path}/\S+", text)
        assert found, text
        return found[0]

    return find

"""The client of the front, client.js, against a server: what networks, tabs and clocks do to it."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import playwright.sync_api as playwright
import pytest

from conftest import BROWSER, BROWSER_FLAGS
from lms.tests.factories import CourseFactory
from payments.models import Payment
from people.models import TokenFamily, User
from people.tests.factories import PASSWORD
from people.tokens import issue_pair

pytestmark = [pytest.mark.browser, pytest.mark.any_database]

REFRESH = "**/api/v1/auth/token/refresh"
# The next answer with new tokens comes when `go` is called.
HOLD = """() => {
    const send = fetch;
    window.fetch = async (address, request) => {
        const answer = await send(address, request);
        if (address.endsWith("refresh") && !window.go) await new Promise((go) => { window.go = go });
        return answer;
    };
}"""
GO = "() => go()"
START = """async () => {
    const client = await import("/static/front/client.js");
    window.ended = window.others = 0;
    window.api = client.createClient({
        base: "/api/v1/",
        language: "en",
        onEnd: () => window.ended++,
        onOther: () => window.others++,
    });
    window.newKey = client.newKey;
    window.ask = (...call) => api.call(...call).then(
        (value) => ({ value }),
        (error) => ({ code: error.code ?? error.constructor.name }),
    );
}"""


def lose(route: playwright.Route) -> None:
    """The server gets the request, and its answer is lost."""
    route.fetch()
    route.abort()


class Tab:
    """A tab in which the client was started. `requests` are those it made to the API."""

    def __init__(self, context: playwright.BrowserContext, script: str = "") -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        if script:
            self.page.add_init_script(script)
        self.page.on("request", self._note)
        self.page.goto("/healthz")
        self.run(START)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.page.evaluate(script, *arguments)

    def wait(self, expression: str) -> None:
        """Wait until it is true; a tab behind another one is drawn no more, which is the default."""
        self.page.wait_for_function(f"() => {expression}", polling=20)

    def keep(self, **tokens: Any) -> None:
        """Have these in the browser; `until` is when the client takes the access token for expired."""
        kept = {"login": "one", "expires_in": 900, "until": (time.time() + 900) * 1000}
        text = json.dumps(kept | tokens)
        self.run("text => localStorage.setItem('parta.tokens', text)", text)

    def begin(self, *call: Any) -> None:
        """Call the API, and don't wait for the answer."""
        self.run("call => { window.begun = ask(...call) }", call)

    def end(self) -> Any:
        return self.run("() => begun")

    def ask(self, *call: Any) -> Any:
        """Call the API; return `{"value": …}`, or the `code` of what was thrown."""
        self.begin(*call)
        return self.end()

    @property
    def is_logged_in(self) -> bool:
        return bool(self.run("() => api.isLoggedIn()"))

    def _note(self, request: playwright.Request) -> None:
        _site, api, path = urlsplit(request.url).path.partition("/api/v1/")
        if api:
            self.requests.append(f"{request.method} {path}")


ME = "get", "users/me"
ASK_ME, ASK_TOKENS = "GET users/me", "POST auth/token/refresh"
LONG_AGO = {"until": 0}


@pytest.fixture
def context(page: playwright.Page) -> playwright.BrowserContext:
    return page.context


@pytest.fixture
def pair(learner) -> dict[str, Any]:
    return asdict(issue_pair(learner))


@pytest.fixture
def plain_http(browser, live_server, settings) -> Iterator[playwright.BrowserContext]:
    """By another name than localhost a browser has neither locks nor `crypto.randomUUID`."""
    settings.ALLOWED_HOSTS = ["school.example"]
    rule = "--host-resolver-rules=MAP school.example 127.0.0.1"
    launched = browser.browser_type.launch(executable_path=BROWSER, args=[*BROWSER_FLAGS, rule])
    port = urlsplit(live_server.url).port
    yield launched.new_context(base_url=f"http://school.example:{port}")
    launched.close()


def test_of_two_tabs_that_renew_at_once_one_waits_for_the_other(context, learner, pair):
    tabs = [Tab(context), Tab(context)]
    tabs[0].keep(**pair, **LONG_AGO)
    tabs[1].wait("api.isLoggedIn()")
    tabs[0].run(HOLD)
    tabs[0].begin(*ME)
    tabs[0].wait("window.go")
    tabs[1].begin(*ME)
    tabs[1].wait("navigator.locks.query().then((all) => all.pending.length)")
    assert tabs[1].requests == []
    tabs[0].run(GO)
    assert [tab.end()["value"]["id"] for tab in tabs] == [learner.pk] * 2
    assert tabs[0].requests == [ASK_TOKENS, ASK_ME]
    # Another process of the browser may see what was stored a moment late, and get the same successor.
    assert tabs[1].requests in ([ASK_ME], [ASK_TOKENS, ASK_ME])
    assert TokenFamily.objects.count() == 1


def test_on_plain_http_two_tabs_that_renew_at_once_stay_logged_in(plain_http, learner, pair):
    tabs = [Tab(plain_http), Tab(plain_http)]
    assert (
        tabs[0].run("() => [isSecureContext, 'locks' in navigator, 'randomUUID' in crypto]")
        == [False] * 3
    )
    assert len(tabs[0].run("() => newKey()")) > 30
    tabs[0].keep(**pair, **LONG_AGO)
    tabs[1].wait("api.isLoggedIn()")
    for tab in tabs:
        tab.run(HOLD)
        tab.begin(*ME)
    for tab in tabs:
        tab.wait("window.go")
    for tab in tabs:
        tab.run(GO)
    assert [tab.end()["value"]["id"] for tab in tabs] == [learner.pk] * 2
    assert [tab.requests for tab in tabs] == [[ASK_TOKENS, ASK_ME]] * 2
    assert TokenFamily.objects.count() == 1


def test_a_tab_that_sleeps_while_it_renews_holds_up_no_other(context, learner, pair):
    tabs = [Tab(context), Tab(context)]
    tabs[0].keep(**pair, **LONG_AGO)
    tabs[0].run("() => void navigator.locks.request('parta.tokens', () => new Promise(() => {}))")
    tabs[1].page.clock.install()
    tabs[1].begin(*ME)
    tabs[1].wait("navigator.locks.query().then((all) => all.pending.length)")
    tabs[1].page.clock.run_for(11_000)
    assert tabs[1].end()["value"]["id"] == learner.pk


def test_many_calls_at_once_in_one_tab_renew_once(context, pair):
    tab = Tab(context)
    tab.keep(**pair, **LONG_AGO)
    tab.run("call => Promise.all(Array.from({ length: 5 }, () => ask(...call)))", ME)
    assert tab.requests.count(ASK_TOKENS) == 1


def test_an_answer_with_new_tokens_that_was_lost_is_asked_for_again(context, learner, pair):
    tab = Tab(context)
    tab.keep(**pair, **LONG_AGO)

    context.route(REFRESH, lose, times=1)
    assert tab.ask(*ME) == {"code": "Unreachable"}
    assert tab.is_logged_in
    assert tab.ask(*ME)["value"]["id"] == learner.pk
    assert TokenFamily.objects.count() == 1


def test_a_token_that_ends_in_the_middle_is_renewed_and_the_call_repeated(context, learner, pair):
    tab = Tab(context)
    tab.keep(**pair | {"access": "of long ago"})
    changed = {"path": {"user_id": learner.pk}, "body": {"first_name": "Leo"}}
    assert tab.ask("patch", "users/{user_id}", changed)["value"]["first_name"] == "Leo"
    change = f"PATCH users/{learner.pk}"
    assert tab.requests == [change, ASK_TOKENS, change]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 502, "body": "<h1>Bad gateway</h1>", "content_type": "text/html"},
        {"status": 503, "body": '{"status": 503}', "content_type": "application/problem+json"},
    ],
)
def test_while_no_tokens_can_be_had_nobody_is_logged_out(context, learner, pair, answer):
    tab = Tab(context)
    tab.keep(**pair, **LONG_AGO)
    context.set_offline(True)
    assert tab.ask(*ME) == {"code": "Unreachable"}
    context.set_offline(False)
    context.route(REFRESH, lambda route: route.fulfill(**answer), times=1)
    assert "value" not in tab.ask(*ME)
    assert tab.is_logged_in
    assert tab.run("() => ended") == 0
    assert tab.ask(*ME)["value"]["id"] == learner.pk


def test_log_out_reaches_the_other_tab_and_the_server(context, pair):
    tabs = [Tab(context), Tab(context)]
    tabs[0].keep(**pair)
    tabs[1].wait("api.isLoggedIn()")
    tabs[0].run("() => api.logOut()")
    tabs[1].wait("ended === 1")
    assert not tabs[1].is_logged_in
    assert TokenFamily.objects.count() == 0


def test_another_log_in_reaches_the_other_tab_and_new_tokens_do_not(context, stranger, pair):
    tabs = [Tab(context), Tab(context)]
    tabs[0].keep(**pair)
    tabs[1].wait("others === 1")
    tabs[0].keep(**pair, **LONG_AGO)
    tabs[0].ask(*ME)
    tabs[0].run("body => api.logIn(body)", {"email": stranger.email, "password": PASSWORD})
    tabs[1].wait("others === 2")
    assert tabs[1].ask(*ME)["value"]["id"] == stranger.pk
    # Nobody tells a tab that its storage was emptied.
    tabs[1].run("() => localStorage.clear()")
    tabs[1].ask(*ME)
    assert tabs[1].run("() => [ended, others]") == [1, 2]
    assert tabs[0].run("() => others") == 1


@pytest.mark.parametrize("body", ["<h1>Welcome to the network of the hotel</h1>", '{"items": ['])
def test_what_is_no_answer_of_the_api_is_told_from_one(context, pair, body):
    tab = Tab(context)
    tab.keep(**pair)
    context.route("**/api/v1/**", lambda route: route.fulfill(body=body), times=1)
    assert tab.ask(*ME) == {"code": "Unreachable"}
    assert tab.is_logged_in


def test_tokens_that_come_after_another_log_in_are_thrown_away(context, stranger, pair):
    tab = Tab(context)
    tab.keep(**pair, **LONG_AGO)
    tab.run(HOLD)
    tab.begin(*ME)
    tab.wait("window.go")
    tab.run("() => api.logOut()")
    tab.run("body => api.logIn(body)", {"email": stranger.email, "password": PASSWORD})
    tab.run(GO)
    tab.end()
    assert tab.ask(*ME)["value"]["id"] == stranger.pk


def test_an_old_token_ends_the_log_in_in_all_tabs(context, learner, api, pair):
    newer = api(None).post("auth/token/refresh", {"refresh": pair["refresh"]}).json()
    api(None).post("auth/token/refresh", {"refresh": newer["refresh"]})
    tabs = [Tab(context), Tab(context)]
    tabs[0].keep(**pair, **LONG_AGO)
    tabs[1].wait("api.isLoggedIn()")
    tabs[0].ask(*ME)
    assert not tabs[0].is_logged_in
    tabs[1].wait("ended > 0")


def test_a_blocked_account_is_logged_out_at_the_next_call(context, learner, pair):
    tab = Tab(context)
    tab.keep(**pair)
    User.objects.filter(pk=learner.pk).update(is_active=False)
    assert tab.ask(*ME) == {"code": "invalid_token"}
    assert not tab.is_logged_in
    assert tab.run("() => ended") > 0


def test_a_change_upon_an_old_version_is_refused_and_one_upon_its_answer_is_not(
    context, author, live_server
):
    course = CourseFactory.create(owner=author)
    tabs = [Tab(context), Tab(context)]
    tabs[0].keep(**asdict(issue_pair(author)))
    tabs[1].wait("api.isLoggedIn()")
    change = """async ([id, title]) => {
        const place = { path: { course_id: id } };
        window.course ??= await api.call("get", "courses/{course_id}", place);
        const options = { ...place, version: course, body: { title } };
        return ask("patch", "courses/{course_id}", options).then(({ value, code }) => {
            window.course = value ?? course;
            return value?.title ?? code;
        });
    }"""
    tabs[1].run(change, [course.pk, "First"])
    assert tabs[0].run(change, [course.pk, "Second"]) == "Second"
    assert tabs[1].run(change, [course.pk, "Third"]) == "changed_meanwhile"
    assert tabs[0].run(change, [course.pk, "Fourth"]) == "Fourth"


def test_a_purchase_whose_answer_was_lost_is_made_once(context, learner, pair):
    course = CourseFactory.create(published=True, price="10.00")
    tab = Tab(context)
    tab.keep(**pair)

    context.route("**/api/v1/payments", lose, times=1)
    key = tab.run("() => newKey()")
    wish = "post", "payments", {"body": {"course_id": course.pk, "method": "cash"}, "key": key}
    assert tab.ask(*wish) == {"code": "Unreachable"}
    assert tab.ask(*wish)["value"]["id"] == Payment.objects.get().pk


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_wrong_costs_no_request(context, learner, minutes):
    tab = Tab(context)
    tab.page.clock.set_fixed_time(time.time() * 1000 + minutes * 60_000)
    tab.run("body => api.logIn(body)", {"email": learner.email, "password": PASSWORD})
    assert tab.ask(*ME)["value"]["id"] == learner.pk
    assert tab.requests == ["POST auth/token", ASK_ME]


FORBIDDEN = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("The operation is insecure.", "SecurityError") },
})"""
FULL = """Storage.prototype.setItem = () => {
    throw new DOMException("The quota has been exceeded.", "QuotaExceededError")
}"""


@pytest.mark.parametrize("storage", [FORBIDDEN, FULL])
def test_where_nothing_can_be_stored_one_is_logged_in_in_this_tab(context, learner, storage):
    tab = Tab(context, storage)
    assert not tab.is_logged_in
    tab.run("body => api.logIn(body)", {"email": learner.email, "password": PASSWORD})
    assert tab.ask(*ME)["value"]["id"] == learner.pk
    tab.page.clock.set_fixed_time(time.time() * 1000 + 3_600_000)
    assert tab.ask(*ME)["value"]["id"] == learner.pk
    assert tab.requests[2:] == [ASK_TOKENS, ASK_ME]
    tab.run("() => api.logOut()")
    assert not tab.is_logged_in
    assert TokenFamily.objects.count() == 0

"""No line of the log tells whose e-mail something was about."""

import json
import logging
from collections.abc import Iterator

import pytest

from people.tests.factories import PASSWORD
from project.common.logging import JSONFormatter, RequestIdFilter, TextFormatter

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


class Lines(logging.Handler):
    """All records of all loggers, as both formatters write them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(RequestIdFilter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [JSONFormatter().format(record), TextFormatter().format(record)]
        json.loads(self.lines[-2])


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler, root = Lines(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.lines
    root.setLevel(before)
    root.removeHandler(handler)


def test_logging_in_and_asking_for_links_tells_no_address(api, client, learner, lines, run_worker):
    email = learner.email
    for password in (PASSWORD, "wrong"):
        api(None).post("auth/token", {"email": email, "password": password})
        client.post("/admin/login/", {"username": email, "password": password})
    for path in ("password/reset", "reactivation"):
        run_worker(lambda path=path: api(None).post(f"auth/{path}", {"email": email}))
    api(None).post("auth/register", {"email": email, "password": PASSWORD})
    api(learner).get(f"users?search={email}")
    assert len(lines) > 10
    assert email not in "\n".join(lines)


@pytest.mark.parametrize("answer", ["550 5.1.1 <{}> unknown", "450 {} greylisted", "421 {}: later"])
def test_a_mail_server_that_repeats_the_address_tells_nothing(
    api, learner, lines, run_worker, sink, answer
):
    sink.refused[learner.email] = answer.format(learner.email)
    run_worker(lambda: api(None).post("auth/password/reset", {"email": learner.email}))
    assert sink.received == []
    assert lines
    assert learner.email not in "\n".join(lines)


@pytest.mark.parametrize(
    "words",
    [
        "Key (lower(email::text))=(anna@school.example) already exists.",
        "{'anna@school.example': (550, b'no such <anna@school.example>')}",
        '"anna@school.example"',
        "anna@school.example\nnext line",
        "mailto:anna+news@sub.school.example?x=1",
        "анна@школа.example",
    ],
)
def test_an_address_in_the_words_of_an_error_is_masked(lines, words):
    error = ValueError(words)
    logging.getLogger("any").error("It failed: %s", words, exc_info=error)
    assert len(lines) == 2
    for line in lines:
        assert "@" not in line
        assert line.count("(address)") >= 2
        assert "ValueError" in line

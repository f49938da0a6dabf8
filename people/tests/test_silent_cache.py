"""A Redis that takes connections and says nothing: nobody waits for it longer than moments."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest

from people.tests.factories import PASSWORD
from project.common import breaker
from project.environment import cache

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

# Seconds; without a limit of our own one question takes five, on an idle machine as on a busy one.
LIMIT = 4


@pytest.fixture
def silent_redis(settings, monkeypatch) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("CACHE_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        settings.CACHES = {"default": cache("CACHE_URL", "")}
        yield server


def callers_of(server: socket.socket) -> int:
    """How many have connected since it was asked last."""
    server.setblocking(False)
    number = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            number += 1
    return number


@pytest.mark.usefixtures("silent_redis")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("auth/token", {"email": "a@school.example", "password": PASSWORD}),
        ("auth/register", {"email": "a@school.example", "password": PASSWORD}),
        ("auth/password/reset", {"email": "a@school.example"}),
    ],
)
def test_what_has_to_be_counted_is_503_at_once(api, path, body):
    before = time.monotonic()
    response = api(None).post(path, body)
    assert response.status_code == 503
    assert time.monotonic() - before < LIMIT


@pytest.mark.usefixtures("silent_redis")
def test_what_needs_no_counting_is_answered(api, learner):
    before = time.monotonic()
    assert api(learner).get("users/me").status_code == 200
    assert time.monotonic() - before < LIMIT


@pytest.mark.usefixtures("silent_redis")
def test_what_is_created_is_not_counted(api, learner):
    before = time.monotonic()
    assert api(learner).post("courses", {"title": "Bread"}).status_code == 201
    assert time.monotonic() - before < LIMIT


@pytest.mark.usefixtures("silent_redis")
def test_the_dashboard_is_answered(client_of, administrator):
    browser = client_of(administrator)
    before = time.monotonic()
    assert browser.get("/admin/").status_code == 200
    assert time.monotonic() - before < LIMIT


def test_after_three_silences_nobody_asks_for_a_while_and_then_a_single_one(
    api, silent_redis, monkeypatch
):
    def guess() -> None:
        response = api(None).post("auth/password/reset", {"email": "a@school.example"})
        assert response.status_code == 503

    for _number in range(3):
        guess()
    assert callers_of(silent_redis) > 0
    guess()
    assert callers_of(silent_redis) == 0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 3)
    monkeypatch.setattr(breaker, "time", clock)
    guess()
    assert callers_of(silent_redis) > 0
    guess()
    assert callers_of(silent_redis) == 0

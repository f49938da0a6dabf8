"""A Redis that takes connections and says nothing: nobody waits for it longer than moments."""

import socket
import time
from collections.abc import Iterator

import pytest

from people.tests.factories import PASSWORD
from project.environment import cache

pytestmark = pytest.mark.django_db

# Seconds; without a limit of our own one question takes five, on an idle machine as on a busy one.
LIMIT = 4


@pytest.fixture
def silent_redis(settings, monkeypatch) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("CACHE_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        settings.CACHES = {"default": cache("CACHE_URL", "")}
        yield


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

"""What counts the calls: at once, on a clock that is set, in a cache that is emptied or away."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.cache import cache, caches
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from redis import ConnectionPool

from conftest import require_or_skip
from people.models import User
from people.throttles import limit_creation, limit_password_change
from project import environment
from project.common.errors import Throttled
from project.tests.races import at_once, statuses
from project.tests.test_two_hosts import free_port, service

THREADS = 12


def redis_server(folder: Path, port: int) -> AbstractContextManager[None]:
    require_or_skip(shutil.which("redis-server"), "redis-server")
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    return service(port, *command, "--dir", str(folder))


@pytest.fixture
def redis_port(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where a Redis is expected."""
    port = free_port()
    monkeypatch.setenv("CACHE_URL", f"redis://127.0.0.1:{port}/0")
    settings.CACHES = {"default": environment.cache("CACHE_URL", "")}
    yield port
    disconnect()


def disconnect() -> None:
    """Each thread has connections of its own, and Django leaves them to the garbage collector."""
    pools: dict[int, ConnectionPool] = getattr(caches["default"], "_cache")._pools  # noqa: B009
    for pool in pools.values():
        pool.disconnect()


def outcome_of(act: Callable[[], None]) -> str:
    try:
        act()
    except Throttled:
        return "throttled"
    return "passed"


@pytest.mark.django_db(transaction=True)
def test_at_once_exactly_so_many_pass_over_redis(settings, redis_port, tmp_path):
    settings.THROTTLE_COURSES = "5/h"

    def count() -> str:
        try:
            return outcome_of(partial(limit_creation, User(pk=1), "COURSES"))
        finally:
            disconnect()

    with redis_server(tmp_path, redis_port):
        assert Counter(at_once(*[count] * THREADS)) == {"passed": 5, "throttled": THREADS - 5}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["COURSES", "TEXT"])
def test_at_once_exactly_so_many_are_created(api, author, settings, name):
    setattr(settings, f"THROTTLE_{name}", "3/h")
    create = partial(api(author).post, "courses", {"title": "Bread"})
    answers = at_once(*[create] * THREADS)
    assert statuses(answers) == {201: 3, 429: THREADS - 3}
    assert author.courses.count() == 3


@pytest.mark.django_db
def test_a_redis_that_is_started_again_counts_anew(api, settings, redis_port, tmp_path):
    settings.THROTTLE_LOGIN = "1/min"
    body = {"email": "anna@school.example", "password": "wrong"}

    def guess() -> list[int]:
        return [api(None).post("auth/token", body).status_code for _time in range(2)]

    with redis_server(tmp_path, redis_port):
        assert guess() == [401, 429]
    assert guess() == [503, 503]
    with redis_server(tmp_path, redis_port):
        # The connections that were kept are broken: they are made anew.
        assert guess() == [401, 429]


def test_who_was_counted_by_what_is_lost_begins_anew(monkeypatch, settings):
    settings.THROTTLE_LOGIN = "1/min"
    add = cache.add

    def lost(key: str, *arguments: Any, **options: Any) -> bool:
        added = add(key, *arguments, **options)
        cache.clear()
        return bool(added)

    monkeypatch.setattr(cache, "add", lost)
    for _time in range(2):
        limit_password_change(User(pk=1))


@pytest.mark.parametrize("hours", [2, 24 * 365])
def test_a_clock_that_is_set_back_makes_no_period_longer(settings, hours):
    settings.THROTTLE_LOGIN = "1/min"
    limit = partial(outcome_of, partial(limit_password_change, User(pk=1)))
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert [limit(), limit()] == ["passed", "throttled"]
        clock.shift(timedelta(hours=-hours))
        assert [limit(), limit()] == ["passed", "throttled"]
        clock.shift(timedelta(minutes=1))
        assert [limit(), limit()] == ["passed", "throttled"]


def test_hosts_whose_clocks_differ_count_together(settings):
    settings.THROTTLE_LOGIN = "2/min"
    limit = partial(outcome_of, partial(limit_password_change, User(pk=1)))
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert limit() == "passed"
        clock.shift(timedelta(seconds=-30))
        assert [limit(), limit()] == ["passed", "throttled"]
        with pytest.raises(Throttled) as refused:
            limit_password_change(User(pk=1))
        assert refused.value.retry_after == 60  # never more than a period


@pytest.mark.parametrize("text", ["", "0/h", "-1/h", "10", "10/y", "1.5/h", "ten/h", "10/", "/h"])
def test_a_rate_that_makes_no_sense_is_refused_at_the_start(monkeypatch, text):
    monkeypatch.setenv("THROTTLE_COURSES", text)
    with pytest.raises(ImproperlyConfigured, match="THROTTLE_COURSES"):
        environment.rate("THROTTLE_COURSES", "10/h")


@pytest.mark.parametrize(
    "url", ["dummycache://", "dbcache://cache", "filecache:///tmp/x", "memcache://127.0.0.1:11211"]
)
def test_a_cache_that_can_not_count_is_refused_at_the_start(monkeypatch, url):
    monkeypatch.setenv("CACHE_URL", url)
    with pytest.raises(ImproperlyConfigured, match="CACHE_URL"):
        environment.cache("CACHE_URL", "locmemcache://")

"""What a production server writes, read from a real one."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from project.common.logging import FailureFilter, JSONFormatter, RequestIdFilter, request_id
from project.tests.processes import KEY, Server, environment, run, wait_until

SECRET = "person@school.example"


@pytest.mark.parametrize(
    ("path", "status", "route", "failures"),
    [
        ("/healthz", 200, None, 0),
        ("/api/v1/openapi.json", 200, "api/v1/openapi.json", 0),
        ("/api/v1/courses/7", 401, "api/v1/courses/<int:course_id>", 0),
        (f"/nowhere/{SECRET}", 404, "-", 0),
        ("/fails", 500, "fails", 1),
        ("/api/fails", 500, "api/fails", 1),
    ],
)
def test_request_is_told_once_as_json_without_what_is_personal(
    server: Server, path: str, status: int, route: str | None, failures: int
) -> None:
    request_id = f"request-{path.replace('/', '-').split('@')[0]}"[:40]
    assert server.get(f"{path}?email={SECRET}", request_id) == status
    if route is not None:
        wait_until(lambda: any("route" in line for line in of(server, request_id)))
    mine = of(server, request_id)
    access = [line for line in mine if line["logger"] == "project.access"]
    assert [(line["route"], line["status"]) for line in access] == (
        [] if route is None else [(route, status)]
    )
    failed = [line for line in mine if line["level"] == "ERROR"]
    assert len(failed) == failures
    assert all("ZeroDivisionError" in line["exc_info"] for line in failed)
    assert len(mine) == len(access) + len(failed)
    assert SECRET not in server.log.read_text()


def of(server: Server, request_id: str) -> list[dict[str, Any]]:
    return [line for line in server.lines() if line["request_id"] == request_id]


def test_nothing_below_the_chosen_level_is_told(tmp_path: Path) -> None:
    script = """
import logging, django
django.setup()
for name in ("django", "django-q", "gunicorn.error", "payments"):
    logging.getLogger(name).info("quiet")
    logging.getLogger(name).error("loud")
"""
    variables = environment(
        tmp_path, DJANGO_SETTINGS_MODULE="project.settings", LOG_LEVEL="ERROR", SECRET_KEY=KEY
    )
    result = run([sys.executable, "-c", script], variables)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["message"] for line in result.stderr.splitlines()] == ["loud"] * 4


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("a" * 8, True),
        ("a" * 7, False),
        ("a" * 64, True),
        ("a" * 65, False),
        ("Request_0.1-x", True),
        ("request 0001", False),
        ("request-0001/", False),
        ("", False),
    ],
)
def test_a_plain_id_of_the_proxy_is_kept_and_any_other_made_anew(
    given: str, *, is_kept: bool
) -> None:
    answers = [
        Client().get("/healthz", headers={"X-Request-Id": given})["X-Request-Id"]
        for _time in range(2)
    ]
    if is_kept:
        assert answers == [given, given]
    else:
        assert all(re.fullmatch(r"[0-9a-f]{32}", answer) for answer in answers)
        assert answers[0] != answers[1]
    assert request_id.get() == "-"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "level", "route", "status"),
    [
        ("/admin/login/", logging.INFO, "admin/login/", 200),
        ("/api/v1/courses/7", logging.INFO, "api/v1/courses/<int:course_id>", 401),
        ("/nowhere", logging.INFO, "-", 404),
        ("/healthz", logging.DEBUG, "-", 200),
        ("/readyz", logging.INFO, "-", 503),
    ],
)
def test_an_answer_is_told_with_its_route_and_a_healthy_probe_only_for_debugging(
    caplog: Any, monkeypatch: Any, path: str, level: int, route: str, status: int
) -> None:
    looks = count()
    monkeypatch.setattr("time.monotonic", lambda: next(looks) / 4)
    with caplog.at_level(logging.DEBUG, "project.access"):
        Client().get(path)
    [record] = [one for one in caplog.records if one.name == "project.access"]
    assert (record.levelno, record.route, record.status, record.method) == (
        level,
        route,
        status,
        "GET",
    )
    assert record.milliseconds >= 250
    assert record.milliseconds % 250 == 0


@pytest.mark.parametrize(
    ("level", "has_trace", "is_kept"),
    [
        (logging.ERROR, True, True),
        (logging.CRITICAL, True, True),
        (logging.WARNING, True, False),
        (logging.ERROR, False, False),
    ],
)
def test_of_what_django_says_only_failures_are_kept_without_the_path(
    level: int, *, has_trace: bool, is_kept: bool
) -> None:
    trace = (ValueError, ValueError(), None) if has_trace else None
    record = logging.LogRecord("django.request", level, "", 0, "%s", (f"/x/{SECRET}",), trace)
    assert FailureFilter().filter(record) == is_kept
    if is_kept:
        assert record.getMessage() == "Unexpected error in -"


def test_a_line_has_the_time_in_utc_to_the_millisecond() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "Said", (), None)
    record.created = datetime(2026, 11, 23, 9, 0, 0, 123_456, tzinfo=UTC).timestamp()
    record.request, record.colour = "secret", "red"
    RequestIdFilter().filter(record)
    assert json.loads(JSONFormatter().format(record)) == {
        "time": "2026-11-23T09:00:00.123+00:00",
        "level": "INFO",
        "logger": "x",
        "request_id": "-",
        "message": "Said",
        "colour": "red",
    }

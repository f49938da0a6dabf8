"""What a production server writes, read from a real one."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

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

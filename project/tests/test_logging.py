"""What a production server writes, read from a real one."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from project.tests.processes import KEY, environment, run, wait_until

SECRET = "person@school.example"


class Server:
    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        variables = environment(
            folder,
            DJANGO_SETTINGS_MODULE="project.tests.failing_settings",
            SECRET_KEY="only-for-tests-and-long-enough-for-a-signature",
            ALLOWED_HOSTS="127.0.0.1",
            HTTPS="off",
        )
        command = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py", "project.wsgi"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--bind", "127.0.0.1:0", "--workers", "1"],
                env=variables,
                cwd=settings.BASE_DIR,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: "Booting worker" in self.log.read_text())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def get(self, path: str, request_id: str) -> int:
        message = next(line["message"] for line in self.lines() if "Listening" in line["message"])
        url = message.split()[2] + path
        request = urllib.request.Request(url, headers={"X-Request-Id": request_id})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.process.terminate()
    assert server.process.wait(timeout=60) == 0


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

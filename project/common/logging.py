"""One id per request, in every log line and in the answer, so that a report leads to its lines.

Lines carry no personal data and no token: a request is named by its route (`courses/<id>`), never
by its path, query, headers or address.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="-")
# Generous: better a word too much than an address.
EMAIL = re.compile(r"""[^\s@<>"'(),;:=\[\]{}\\]+@[^\s@<>"'(),;:=\[\]{}\\]+""")
# PostgreSQL repeats the whole row that it does not take.
ROW = re.compile(r"(?<=Failing row contains )\(.*\)")
access_logger = logging.getLogger("project.access")


def without_addresses(line: str) -> str:
    """Mask e-mail addresses and rows: mail servers and databases repeat them in the words of their
    errors."""
    return EMAIL.sub("(address)", ROW.sub("(a row)", line))


class RequestIdFilter(logging.Filter):
    """Put the id of the present request into each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class FailureFilter(logging.Filter):
    """Of what Django says about answers keep the failures, which carry a traceback.

    The rest repeats the access log, with the path, in which there may be a token.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR or not record.exc_info:
            return False
        request = getattr(record, "request", None)
        record.msg, record.args = "Unexpected error in %s", (route_of(request),)
        return True


class TextFormatter(logging.Formatter):
    """For people, without addresses."""

    def format(self, record: logging.LogRecord) -> str:
        return without_addresses(super().format(record))


class JSONFormatter(JsonFormatter):
    """One JSON object a line, with the time in UTC, without addresses."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{request_id}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            # Django attaches the request to its records; its text has the query string in it.
            reserved_attrs=[*RESERVED_ATTRS, "request"],
            # What is an address is found in letters only.
            json_ensure_ascii=False,
        )

    def format(self, record: logging.LogRecord) -> str:
        return without_addresses(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class RequestIdMiddleware:
    """Take the proxy's `X-Request-Id` if it is a plain one, or make one up; answer with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        current = given if re.fullmatch(r"[A-Za-z0-9._-]{8,64}", given) else uuid.uuid4().hex
        token = request_id.set(current)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = current
        return response


class AccessLogMiddleware:
    """Write one line per answer. Static files, redirects and healthy probes are for DEBUG."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started, method = time.monotonic(), request.method
        response = self.get_response(request)
        line = {
            "method": method,
            "route": route_of(request),
            "status": response.status_code,
            "milliseconds": round((time.monotonic() - started) * 1000),
        }
        ordinary = request.resolver_match is not None or response.status_code >= 400
        level = logging.INFO if ordinary else logging.DEBUG
        access_logger.log(level, "%(method)s %(route)s %(status)s", line, extra=line)
        return response


def route_of(request: HttpRequest | None) -> str:
    """The pattern that the request matched, such as `api/v1/courses/<int:course_id>`."""
    match = request.resolver_match if request is not None else None
    # That of an address that there is not has no words.
    return (match and match.route) or "-"


def logging_config(level: str, *, as_json: bool) -> dict[str, Any]:
    """Return the setting LOGGING.

    Everything goes through the root's one handler, so that no line comes twice: the libraries' own
    handlers are taken away.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": "project.common.logging.RequestIdFilter"},
            "failures": {"()": "project.common.logging.FailureFilter"},
        },
        "formatters": {
            "text": {
                "class": "project.common.logging.TextFormatter",
                "format": "{levelname} {name} [{request_id}] {message}",
                "style": "{",
            },
            "json": {"()": "project.common.logging.JSONFormatter"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "filters": ["request_id"],
                "formatter": "json" if as_json else "text",
                # Here too: a logger with a level of its own does not ask the root for one.
                "level": level,
            },
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.request": {"filters": ["failures"]},
            "django.server": {"handlers": [], "level": "INFO", "propagate": True},
            "django-q": {"handlers": [], "level": "INFO", "propagate": True},
            # They log links, ids and the words of errors; payments/provider/asking.py logs what may.
            "stripe": {"level": "ERROR"},
            "urllib3": {"level": "ERROR"},
            # The application writes the access log itself (AccessLogMiddleware).
            "gunicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
        },
    }

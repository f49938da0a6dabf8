"""Reading the bodies of requests."""

import json
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from gunicorn.http.errors import ParseException
from ninja.parser import Parser

from project.common.api.problems import API_PREFIX

# A picture, and what a form writes around it.
IMAGE_LIMIT = settings.IMAGE_MAX_BYTES + 64 * 1024


class UnsupportedMediaType(Exception):
    """The body is not of the kind that the operation reads."""


class JSONParser(Parser):
    """Read JSON bodies only. What is not JSON raises ValueError or RecursionError, another content
    type UnsupportedMediaType; Ninja wraps them all into a HttpError and keeps them as its cause."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise UnsupportedMediaType(request.content_type)
        return json.loads(
            request.body.decode(),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
        )


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that says a thing twice: whoever checked it may have read the other one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("duplicate name in an object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads although JSON has no such numbers."""
    raise ValueError(name)


def is_multipart(request: HttpRequest) -> bool:
    """Say whether the body is a form with files."""
    return request.content_type == "multipart/form-data"


class NulMiddleware:
    """Refuse addresses with a NUL, which no text of ours contains: PostgreSQL can't even be asked
    for it. The API's operations say themselves what is wrong with a value."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_ours = not request.path_info.startswith(API_PREFIX)
        if is_ours and ("\0" in request.path_info or "%00" in request.META["QUERY_STRING"]):
            raise BadRequest("NUL in the address")
        return self.get_response(request)


class BodyLimitMiddleware:
    """Refuse a body that is larger than any operation reads, before it is read.

    A body that comes in chunks, without its length, is taken in up to the limit here; Django by
    itself would see an empty one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API_PREFIX):
            limit = IMAGE_LIMIT if is_multipart(request) else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            length = request.META.get("CONTENT_LENGTH") or ""
            if not length and request.META.get("wsgi.input_terminated"):
                # The server, Gunicorn, puts chunks together.
                try:
                    body = request.META["wsgi.input"].read(limit + 1)
                except (OSError, ParseException):  # it broke off, or these are no chunks
                    return HttpResponse(status=HTTPStatus.BAD_REQUEST)
                request.META["CONTENT_LENGTH"] = length = str(len(body))
                request._stream = BytesIO(body)  # noqa: SLF001
            if length.isdecimal() and int(length) > limit:
                return HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self.get_response(request)

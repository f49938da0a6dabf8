"""Reading the bodies of requests."""

import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from inspect import unwrap
from io import BytesIO
from typing import Any, NoReturn, cast

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from gunicorn.http.errors import ParseException
from ninja.operation import Operation
from ninja.parser import Parser

from project.common.api.problems import API_PREFIX, problem

# A picture, and what a form writes around it.
IMAGE_LIMIT = settings.IMAGE_MAX_BYTES + 64 * 1024
# Of the body of an operation that takes no texts.
SMALL_LIMIT = 64 * 1024
# A character in its longest spelling: `\ud83d\ude00`. A number, a name, and what stands between.
CHARACTER, NUMBER = 12, 32
# No object that we read has more, and each one that is not known would be an error to tell.
MEMBERS_AT_MOST = 1000


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
    """Refuse an object that says a thing twice: whoever checked it may have read the other one. And
    one that says too much."""
    if len(pairs) > MEMBERS_AT_MOST:
        raise ValueError("too many members in an object")
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


def bounded_body[Run: Callable[..., HttpResponse]](run: Run) -> Run:
    """Have an operation refuse a body that is larger than anything its schema allows, before it is
    read. To be given to `add_decorator` with `mode="view"`."""
    operation: Operation = unwrap(run).__self__
    bodies = [model for model in operation.models if model.__ninja_param_source__ == "body"]
    if not bodies:
        return run
    limit = max(SMALL_LIMIT, *(_longest(model.model_json_schema()) for model in bodies))

    @wraps(run)
    def answer(request: HttpRequest, *args: Any, **values: Any) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > limit:
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return run(request, *args, **values)

    return cast(Run, answer)


def _longest(schema: Any) -> int:
    """How many bytes the values of a JSON schema take at the most, all its alternatives together."""
    if isinstance(schema, list):
        return sum(map(_longest, schema))
    if not isinstance(schema, dict):
        return 0
    parts = sum(_longest(part) for part in schema.values())
    own: int = NUMBER + schema.get("maxLength", 0) * CHARACTER
    times: int = schema.get("maxItems", 1)
    return own + parts * times


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
    """Refuse a body that is larger than any operation or form reads, before it is read.

    A body that comes in chunks, without its length, is taken in up to the limit here; Django by
    itself would see an empty one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or ""
        limit = settings.FORM_MAX_BYTES
        if request.path_info.startswith(API_PREFIX):
            limit = IMAGE_LIMIT if is_multipart(request) else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
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

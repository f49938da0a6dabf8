"""Errors of the API as RFC 9457 problem documents; nothing under `/api/` answers with HTML."""

import json
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypedDict

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

CONTENT_TYPE = "application/problem+json"
# Seconds to wait where nobody knows how long it will take.
UNAVAILABLE_FOR = 5
API_PREFIX = "/api/"

# The code of a problem that has no more exact one.
CODES = {
    400: "bad_request",
    401: "not_authenticated",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "changed_meanwhile",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "throttled",
    500: "internal_error",
    502: "payment_provider_error",
    503: "unavailable",
}

# Our own words, not those of `http.HTTPStatus`: Python's differ from version to version, and are
# English only.
TITLES = {
    400: gettext_noop("Bad request"),
    401: gettext_noop("Not authenticated"),
    402: gettext_noop("Payment required"),
    403: gettext_noop("Not allowed"),
    404: gettext_noop("Not found"),
    405: gettext_noop("Method not allowed"),
    409: gettext_noop("Conflict"),
    412: gettext_noop("Precondition failed"),
    413: gettext_noop("Request body too large"),
    415: gettext_noop("Unsupported content type"),
    422: gettext_noop("Validation failed"),
    429: gettext_noop("Too many requests"),
    500: gettext_noop("Unexpected error"),
    502: gettext_noop("Payment provider error"),
    503: gettext_noop("Temporarily unavailable"),
}

# The words for a problem that has no more exact ones.
DETAILS = {
    400: gettext_noop("The request could not be understood."),
    401: gettext_noop("A valid access token is required."),
    403: gettext_noop("You are not allowed to do this."),
    404: gettext_noop("This doesn't exist, or you don't have access to it."),
    405: gettext_noop("This method is not allowed here."),
    412: gettext_noop("This has changed since you last loaded it."),
    413: gettext_noop("The request body is too large."),
    415: gettext_noop("This content type is not supported here."),
    422: gettext_noop("Some of the values are invalid."),
    500: gettext_noop("Something went wrong on our side."),
    503: gettext_noop("The service is temporarily unavailable. Please try again later."),
}


class FieldError(TypedDict):
    """What is wrong with one value; for the document, `FieldProblem` in schemas.py."""

    loc: list[str | int]
    code: str
    msg: str


def problem(
    status: int,
    *,
    code: str | None = None,
    detail: str | None = None,
    errors: list[FieldError] | None = None,
    retry_after: float | None = None,
    members: Mapping[str, object] | None = None,
) -> HttpResponse:
    """Answer with a problem document; `code` and `detail` default to those of the status. `members`
    are its further ones."""
    kind = 500 if status >= 500 else 400
    body: dict[str, object] = {
        "type": "about:blank",
        "title": _(TITLES.get(status, TITLES[kind])),
        "status": status,
        "code": code or CODES.get(status, CODES[kind]),
        "detail": detail or _(DETAILS.get(status, DETAILS[kind])),
    }
    if errors is not None:
        body["errors"] = errors
    body |= members or {}
    # Half a surrogate pair can come back in the name of an unknown field; UTF-8 has none.
    content = json.dumps(body, ensure_ascii=False).encode(errors="replace")
    response = HttpResponse(content, status=status, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = retry_after or UNAVAILABLE_FOR
    if retry_after is not None:
        response["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return response


class ProblemMiddleware:
    """Rewrite what Django itself answers under `/api/` (unknown path, wrong method, refused host,
    failure outside an operation) into a problem document; the other headers stay."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (
            not request.path_info.startswith(API_PREFIX)
            or response.status_code < HTTPStatus.BAD_REQUEST
            or response.get("Content-Type") == CONTENT_TYPE
        ):
            return response
        language = translation.get_language_from_request(request)
        with translation.override(language):
            written = problem(response.status_code)
        del response["Content-Length"]
        response["Content-Type"] = CONTENT_TYPE
        response["Content-Language"] = language
        response.content = written.content
        return response

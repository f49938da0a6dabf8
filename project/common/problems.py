"""Errors of the API as RFC 9457 problem documents; nothing under `/api/` answers with HTML."""

import json
import math
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"
# The largest body is a picture in a form; a longer one is refused before it is read.
BODY_LIMIT = settings.IMAGE_MAX_BYTES + 64 * 1024

# The code of a problem that has no more exact one.
CODES = {
    400: "bad_request",
    401: "not_authenticated",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "throttled",
    500: "internal_error",
    502: "payment_provider_error",
    503: "unavailable",
}


def details() -> dict[int, str]:
    """The words for a problem that has no more exact ones, in the language of the request."""
    return {
        400: _("The request can't be understood."),
        401: _("A valid access token is required."),
        403: _("You are not allowed to do this."),
        404: _("There is nothing here that you can see."),
        405: _("This method is not allowed here."),
        413: _("The body of the request is too large."),
        415: _("The content type of the body is not the one expected here."),
        422: _("Some of the values are not valid."),
        429: _("Too many requests. Try again later."),
        503: _("The service is not available for the moment. Try again later."),
    }


def problem(
    status: int,
    *,
    code: str | None = None,
    detail: str | None = None,
    errors: Sequence[dict[str, Any]] | None = None,
    retry_after: float | None = None,
) -> HttpResponse:
    """Answer with a problem document; `code` and `detail` default to those of the status."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code or CODES.get(status, "error"),
        "detail": detail or details().get(status, _("Something went wrong on our side.")),
    }
    if errors is not None:
        body["errors"] = list(errors)
    response = HttpResponse(
        json.dumps(body, ensure_ascii=False), status=status, content_type=CONTENT_TYPE
    )
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    if retry_after is not None:
        response["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return response


class ProblemMiddleware:
    """Rewrite what Django itself answers under `/api/` (unknown path, wrong method, refused host,
    failure outside an operation) into a problem document; the other headers stay."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        if _declared_length(request) > BODY_LIMIT:
            response = HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            response = self.get_response(request)
        is_problem = response.get("Content-Type", "").startswith(CONTENT_TYPE)
        if response.status_code < HTTPStatus.BAD_REQUEST or is_problem:
            return response
        with translation.override(translation.get_language_from_request(request)):
            written = problem(response.status_code)
        del response["Content-Length"]
        response["Content-Type"] = CONTENT_TYPE
        response.content = written.content
        return response


def _declared_length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0

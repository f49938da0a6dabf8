"""Answers whose content needs no schema: their values come from our own columns, and a test holds
them against the schemas that document them. Validating them once more would take longer than
getting them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse
from django.views.decorators.http import conditional_page
from ninja.decorators import decorate_view
from ninja.operation import Operation
from ninja.utils import contribute_operation_callback
from orjson import dumps


def money(amount: Decimal) -> str:
    """An amount as the API writes it: with two places."""
    return f"{amount:.2f}"


def image_address(name: str) -> str | None:
    """The address of a stored picture, None where there is none."""
    return default_storage.url(name) if name else None


def json_answer(content: Any) -> HttpResponse:
    return HttpResponse(dumps(content), content_type="application/json; charset=utf-8")


def answer_one(content: Any) -> HttpResponse:
    """Raises Http404 if there is nothing."""
    if content is None:
        raise Http404
    return json_answer(content)


def revalidated[Function: Callable[..., Any]](view: Function) -> Function:
    """Give the answer an ETag, and to a client that has shown it answer 304 without the content; to
    one that wants it only as it was (`If-Match`), 412. Goes below the decorator of the router."""
    contribute_operation_callback(view, _describe_conditions)
    return decorate_view(conditional_page)(view)


def _describe_conditions(operation: Operation) -> None:
    operation.openapi_extra = (operation.openapi_extra or {}) | {"responses": {304: {}, 412: {}}}

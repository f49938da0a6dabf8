"""How answers are written: addresses of pictures, JSON, and nothing that the client has already."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile
from django.http import HttpRequest
from django.views.decorators.http import conditional_page
from ninja.decorators import decorate_view
from ninja.operation import Operation
from ninja.renderers import BaseRenderer
from ninja.utils import contribute_operation_callback
from orjson import dumps


def image_address(picture: FieldFile | str) -> str | None:
    """The address of a stored picture, or of one with this name; None where there is none."""
    return _address_of(str(picture)) if picture else None


@lru_cache(maxsize=10_000)
def _address_of(name: str) -> str:
    """Names are never used again, and the storage takes longer to put an address together than it
    takes to write the rest of a lesson."""
    return default_storage.url(name)


class JSONRenderer(BaseRenderer):
    """Write responses with orjson."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: object, *, response_status: int) -> bytes:
        return dumps(data)


def revalidated[Function: Callable[..., Any]](view: Function) -> Function:
    """Give the answer an ETag, and to a client that has shown it answer 304 without the content; to
    one that wants it only as it was (`If-Match`), 412. Goes below the decorator of the router."""

    def describe(operation: Operation) -> None:
        operation.openapi_extra = {"responses": {304: {}, 412: {}}}

    contribute_operation_callback(view, describe)
    return decorate_view(conditional_page)(view)

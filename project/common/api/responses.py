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


@lru_cache(maxsize=10_000)
def address_of(name: str) -> str:
    """The address of a stored file. Names are never used again; the storage takes longer to put an
    address together than it takes to write the rest of a lesson."""
    return default_storage.url(name)


def image_address(picture: FieldFile | str) -> str | None:
    """The address of a stored picture, or of one with this name; None where there is none."""
    return address_of(str(picture)) if picture else None


class JSONRenderer(BaseRenderer):
    """Write responses with orjson."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> Any:
        return dumps(data)


def revalidated[Function: Callable[..., Any]](view: Function) -> Function:
    """Give the answer an ETag, and to a client that has shown it answer 304 without the content; to
    one that wants it only as it was (`If-Match`), 412. Goes below the decorator of the router."""
    contribute_operation_callback(view, _describe_conditions)
    return decorate_view(conditional_page)(view)


def _describe_conditions(operation: Operation) -> None:
    operation.openapi_extra = (operation.openapi_extra or {}) | {"responses": {304: {}, 412: {}}}

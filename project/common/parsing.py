"""Reading the bodies of requests."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class UnsupportedMediaType(Exception):
    """The body is not of the kind that the operation reads."""


class JSONParser(Parser):
    """Read JSON bodies only. What is not JSON raises ValueError, another content type
    UnsupportedMediaType; Ninja wraps both into a HttpError and keeps them as its cause."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise UnsupportedMediaType(request.content_type)
        return json.loads(request.body.decode())


def is_multipart(request: HttpRequest) -> bool:
    """Say whether the body is a form with files."""
    return request.content_type == "multipart/form-data"

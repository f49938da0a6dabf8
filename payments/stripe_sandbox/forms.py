"""Stripe's forms, encoded with nested fields, and how Stripe refuses them."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

type Json = dict[str, Any]


class StripeFault(Exception):
    """A refusal in Stripe's own words and shape."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        said = {"type": kind, "message": message, "param": param, "code": code}
        self.body: Json = {"error": {name: value for name, value in said.items() if value}}


def read_form(text: str) -> Json:
    """Turn `line_items[0][price]=p` into nested objects and lists. Every value stays a text;
    a field with an empty value is given as an empty text, as Stripe sees it."""
    form: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *others = (part.removesuffix("]") for part in name.split("["))
        place, last = form, first
        for part in others:
            place = place.setdefault(last, {})
            if not isinstance(place, dict):
                raise StripeFault(f"Invalid {first}", param=first)
            last = part
        # `expand[]=a&expand[]=b` gives its members no numbers.
        place[last or str(len(place))] = value
    return {name: _with_lists(value) for name, value in form.items()}


def _with_lists(value: object) -> object:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(part) for name, part in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner

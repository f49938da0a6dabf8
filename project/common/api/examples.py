"""Examples for the OpenAPI document, put together from the examples of the fields."""

from typing import Any

type Part = dict[str, Any]  # of the document, or all of it

BY_FORMAT = {
    "date-time": "2026-11-23T06:30:00Z",
    "date": "2026-11-23",
    "uri": "https://school.example/",
    "email": "anna@school.example",
}


def example_of(schema: Part, schemas: Part) -> object:  # noqa: PLR0911 - a kind each
    """Return a value that the schema allows: its own example, or one made of its parts'.
    `schemas` are those it may refer to."""
    match schema:
        case {"$ref": reference}:
            return example_of(schemas[reference.rpartition("/")[2]], schemas)
        case {"examples": [first, *_]} | {"enum": [first, *_]}:
            return first
        case {"example": given} | {"default": given} | {"const": given}:
            return given
        case {"anyOf": [first, *_]} | {"oneOf": [first, *_]} | {"allOf": [first, *_]}:
            return example_of(first, schemas)
        case {"type": "array"}:
            return [example_of(schema["items"], schemas)]
        case {"type": "string"}:
            return BY_FORMAT.get(schema.get("format", ""), "text")
        case {"type": "integer"}:
            return max(schema.get("minimum", 0), 1)
        case {"type": "number" | "boolean" | "null" as kind}:
            return {"number": 1, "boolean": True, "null": None}[kind]
    fields = schema.get("properties", {})
    return {name: example_of(field, schemas) for name, field in fields.items()}

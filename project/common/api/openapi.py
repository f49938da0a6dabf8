"""The OpenAPI document as clients need it: stable ids, unique names, every error described, an
example of everything."""

from collections.abc import Iterator
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from project.common.api.examples import example_of
from project.common.api.problems import CODES, CONTENT_TYPE, DETAILS, TITLES
from project.common.api.schemas import Problem

REFERENCE = "#/components/schemas/"
# What can happen to any operation, beside what it declares itself.
ALWAYS = frozenset({400, 500, 503})
WITH_BODY = frozenset({413, 415, 422})
# To a body that is read as it comes, whatever it is.
ANY_BODY = frozenset({413})
SUCCESSES = {
    200: "Done",
    201: "Created",
    202: "Accepted",
    204: "Done, nothing to say",
    304: "As it was when it had the `ETag` that came as `If-None-Match`",
}
HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`."}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}},
}
ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Changes with the content."}}


class DescribedAPI(NinjaAPI):
    """A NinjaAPI whose document says all that its operations can answer."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**kwargs)
        schemas = document["components"]["schemas"]
        problem = Problem.model_json_schema(ref_template=REFERENCE + "{model}")
        schemas |= {**problem.pop("$defs"), "Problem": problem}
        for path, _method, operation in operations_of(document):
            operation.setdefault("security", [])
            _describe_answers(path, operation)
            _show_examples(operation, schemas)
        _drop_unused(document)
        return document


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each operation of a document, with its path and method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def outline(document: dict[str, Any]) -> str:
    """Say in a few lines what every operation takes and gives, so that a change shows in a diff."""
    blocks = []
    for path, method, operation in operations_of(document):
        names = " ".join(scheme for option in operation["security"] for scheme in option)
        lines = [f"{method.upper()} {path} {operation['operationId']} ({names or 'open'})"]
        for parameter in operation["parameters"]:
            mark = "" if parameter["required"] else "?"
            lines.append(f"  {parameter['in']} {parameter['name']}{mark}")
        for kind, name in _media_of(operation.get("requestBody", {})):
            lines.append(f"  takes {name} as {kind}")
        problems = []
        for status, response in operation["responses"].items():
            names = " ".join(name for _kind, name in _media_of(response))
            if names == "Problem":
                problems.append(str(status))
            else:
                lines.append(f"  {status} {names}".rstrip())
        lines.append(f"  problems {' '.join(problems)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _media_of(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, media in body.get("content", {}).items():
        reference = media["schema"].get("$ref", "")
        yield kind, reference.removeprefix(REFERENCE) or media["schema"].get("title", "anything")


def _describe_answers(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status in _statuses(path, operation):
        responses.setdefault(status, {})
    for status, response in responses.items():
        response["description"] = TITLES.get(status) or SUCCESSES.get(status, "Answered")
        if status in TITLES:
            response["content"] = {CONTENT_TYPE: {"schema": {"$ref": f"{REFERENCE}Problem"}}}
        if status in HEADERS:
            response["headers"] = HEADERS[status]
    if 304 in responses:
        responses[200]["headers"] = responses[304]["headers"] = ETAG
    operation["responses"] = dict(sorted(responses.items()))


def _statuses(path: str, operation: dict[str, Any]) -> set[int]:
    statuses = set(ALWAYS)
    if operation["security"]:
        statuses.add(401)
    if "{" in path:
        statuses.add(404)
    if "requestBody" in operation:
        media = operation["requestBody"]["content"].values()
        statuses |= WITH_BODY if all(one["schema"] for one in media) else ANY_BODY
    if any(map(_can_be_wrong, operation["parameters"])):
        statuses.add(422)
    return statuses


def _can_be_wrong(parameter: dict[str, Any]) -> bool:
    """Not if any text will do. A path with another thing in it is another path: 404."""
    schema = parameter["schema"]
    takes_any_text = schema.get("type") == "string" and not {"pattern", "maxLength"} & schema.keys()
    return parameter["in"] != "path" and not takes_any_text


def _show_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            media["example"] = example_of(media["schema"], schemas)
    for status, response in operation["responses"].items():
        for kind, media in response.get("content", {}).items():
            media["example"] = (
                _problem_example(status)
                if kind == CONTENT_TYPE
                else example_of(media["schema"], schemas)
            )


def _problem_example(status: int) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "code": CODES[status],
        "detail": DETAILS.get(status, TITLES[status]),
    }
    if status == 422:
        entry = {"loc": ["body", "color"], "code": "extra_forbidden"}
        example["errors"] = [entry | {"msg": "There is no such field."}]
    return example


def _drop_unused(document: dict[str, Any]) -> None:
    """Groups of query parameters are taken apart, so nothing refers to their schemas."""
    schemas = document["components"]["schemas"]
    used: set[str] = set()
    waiting = set(_references(document["paths"]))
    while waiting:
        used |= waiting
        waiting = {name for one in waiting for name in _references(schemas[one])} - used
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(REFERENCE)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)

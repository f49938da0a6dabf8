"""The OpenAPI document as clients need it: stable ids, unique names, every error described, an
example of everything."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from project.common.api.examples import Part, example_of
from project.common.api.messages import MESSAGES
from project.common.api.problems import CODES, CONTENT_TYPE, DETAILS, TITLES
from project.common.api.schemas import Problem

REFERENCE = "#/components/schemas/"
SUCCESSES = {
    200: "Done",
    201: "Created",
    202: "Accepted",
    204: "Done, no content",
    304: "Unchanged since the `ETag` that was sent as `If-None-Match`",
}
HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`."}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}},
}


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


def operations_of(document: Part) -> Iterator[tuple[str, str, Part]]:
    """Each operation of a document, with its path and method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def outline(document: Part) -> str:
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


def _media_of(body: Part) -> Iterator[tuple[str, str]]:
    for kind, media in body.get("content", {}).items():
        reference = media["schema"].get("$ref", "")
        yield kind, reference.removeprefix(REFERENCE) or media["schema"].get("title", "anything")


def _describe_answers(path: str, operation: Part) -> None:
    responses = operation["responses"]
    for status in _undeclared(path, operation):
        responses.setdefault(status, {})
    for status, response in responses.items():
        response["description"] = TITLES.get(status) or SUCCESSES.get(status, "Answered")
        if status in TITLES:
            declared = response.get("content", {}).get("application/json", {})
            schema = declared.get("schema", {"$ref": f"{REFERENCE}Problem"})
            response["content"] = {CONTENT_TYPE: {"schema": schema}}
        if status in HEADERS:
            response["headers"] = HEADERS[status]
    operation["responses"] = dict(sorted(responses.items()))


def _undeclared(path: str, operation: Part) -> set[int]:
    """What an operation can answer beside what it declares itself."""
    statuses = {400, 422, 500, 503}  # 422: any query can have a parameter that is not known
    if operation["security"]:
        statuses.add(401)
    if "{" in path:
        statuses.add(404)
    if "requestBody" in operation:
        # A body without a schema is read as it comes, whatever it is.
        media = operation["requestBody"]["content"].values()
        statuses |= {413, 415} if all(one["schema"] for one in media) else {413}
    if any(parameter["name"] == "If-Match" for parameter in operation["parameters"]):
        statuses.add(412)
    return statuses


def _show_examples(operation: Part, schemas: Part) -> None:
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            media["example"] = example_of(media["schema"], schemas)
    for status, response in operation["responses"].items():
        for kind, media in response.get("content", {}).items():
            if kind != CONTENT_TYPE:
                media["example"] = example_of(media["schema"], schemas)
                continue
            media["example"] = example = {
                "type": "about:blank",
                "title": TITLES[status],
                "status": status,
                "code": CODES[status],
                "detail": DETAILS.get(status, TITLES[status]),
            }
            if media["schema"]["$ref"] != f"{REFERENCE}Problem":
                own: Any = example_of(media["schema"], schemas)
                example |= own
                del example["errors"]
            if status == 422:
                error = {"loc": ["body", "color"], "code": "extra_forbidden"}
                example["errors"] = [error | {"msg": MESSAGES["extra_forbidden"]}]


def _drop_unused(document: Part) -> None:
    """Groups of query parameters are taken apart, so nothing refers to their schemas."""
    schemas = document["components"]["schemas"]
    used: set[str] = set()
    waiting = _references(document["paths"])
    while waiting:
        used |= waiting
        waiting = {name for one in waiting for name in _references(schemas[one])} - used
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}


def _references(part: Part) -> set[str]:
    return set(re.findall(rf'"{REFERENCE}([^"]+)"', json.dumps(part, default=str)))

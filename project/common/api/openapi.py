"""The OpenAPI document as clients need it: stable ids, unique names, every error described, an
example of everything."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.utils import translation
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.utils import contribute_operation_callback

from project.common.api.examples import Part, example_of
from project.common.api.messages import MESSAGES
from project.common.api.problems import CODES, CONTENT_TYPE, DETAILS, TITLES
from project.common.api.schemas import Problem
from project.common.errors import DomainError

REFERENCE = "#/components/schemas/"
RESPONSE_REFERENCE = "#/components/responses/"
RAISES = "x-raises"  # where an operation keeps its errors until the document is made of it
SUCCESSES = {
    200: "Done",
    201: "Created",
    202: "Accepted",
    204: "Done, no content",
    304: "Unchanged since the `ETag` that was sent as `If-None-Match`",
}
RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`."}},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}


type Codes = dict[str, str]  # with the words for each


def raises[Function: Callable[..., Any]](
    *errors: type[Exception],
) -> Callable[[Function], Function]:
    """Name the errors of an operation, beside those that all of its kind have (no token, nothing
    there, an invalid body). Goes below the decorator of the router."""

    def decorate(view: Function) -> Function:
        def describe(operation: Operation) -> None:
            extra = operation.openapi_extra or {}
            operation.openapi_extra = extra | {RAISES: [*extra.get(RAISES, []), *errors]}

        contribute_operation_callback(view, describe)
        return view

    return decorate


class Document(OpenAPISchema):
    """What Ninja makes of the operations; one that admits visitors needs no token (`{}`)."""

    def operation_security(self, operation: Operation) -> list[Part] | None:
        security: list[Part] = super().operation_security(operation) or []
        if any(getattr(auth, "admits_visitors", False) for auth in operation.auth_callbacks):
            security.insert(0, {})
        return security


class DescribedAPI(NinjaAPI):
    """A NinjaAPI whose document says all that its operations can answer. `status_of` tells the
    status of an error, `token_errors` are those of every operation that needs a token."""

    def __init__(
        self,
        *,
        status_of: Callable[[type[Exception]], int],
        token_errors: tuple[type[Exception], ...],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.status_of = status_of
        self.token_errors = token_errors

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: Part | None = None
    ) -> OpenAPISchema:
        if path_prefix is None:
            path_prefix = self.get_root_path(path_params or {})
        # In English, whoever asks: the words of an error are translated where they are read.
        with translation.override(None):
            return self._completed(Document(self, path_prefix))

    def _completed(self, document: Document) -> Document:
        schemas = document["components"]["schemas"]
        problem = Problem.model_json_schema(ref_template=REFERENCE + "{model}")
        code: Part = {"type": "string", "description": problem["properties"]["code"]["description"]}
        problem["properties"]["code"] = {"$ref": f"{REFERENCE}ProblemCode"}
        schemas |= {**problem.pop("$defs"), "Problem": problem, "ProblemCode": code}
        shared = document["components"]["responses"] = {}
        for path, _method, operation in operations_of(document):
            operation.setdefault("security", [])
            for parameter in operation["parameters"]:
                _never_null(parameter)
            problems = self._problems_of(path, operation)
            _describe_successes(operation, schemas)
            for status, codes in problems.items():
                name = "Or".join(code.title().replace("_", "") for code in codes)
                shared[name] = _problem_response(
                    status, codes, operation["responses"].get(status, {}), schemas
                )
                operation["responses"][status] = {"$ref": RESPONSE_REFERENCE + name}
            operation["responses"] = dict(sorted(operation["responses"].items()))
        # The last two are answered where there is no operation.
        named = set().union(*map(codes_of, shared.values()), {CODES[404], CODES[405]})
        code["enum"] = sorted(named)
        _unwrap(document)
        for schema in schemas.values():
            _tell_defaults(schema)
        _drop_unused(document)
        return document

    def _problems_of(self, path: str, operation: Part) -> dict[int, Codes]:
        """All that an operation can refuse, by status."""
        errors = [*operation.pop(RAISES, ())]
        if operation["security"]:
            errors += self.token_errors
        declared = operation["responses"].keys() & TITLES.keys()
        declared -= {self.status_of(error) for error in errors}
        found: dict[int, Codes] = {}
        for status in declared | _undeclared(path, operation):
            found[status] = {CODES[status]: DETAILS.get(status, TITLES[status])}
        for error in errors:
            status = self.status_of(error)
            code, words = CODES[status], DETAILS.get(status, TITLES[status])
            if issubclass(error, DomainError):
                code, words = error.code, str(error.message)
            found.setdefault(status, {})[code] = words
        return found


def operations_of(document: Part) -> Iterator[tuple[str, str, Part]]:
    """Each operation of a document, with its path and method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def response_of(document: Part, operation: Part, status: int | str) -> Part:
    """What an operation declares for a status, looked up where it is shared."""
    response: Part = operation["responses"][status]
    name = response.get("$ref", "").removeprefix(RESPONSE_REFERENCE)
    return document["components"]["responses"][name] if name else response


def codes_of(response: Part) -> set[str]:
    """The codes of the problems that are answered like this; empty if it is no problem."""
    media = response.get("content", {}).get(CONTENT_TYPE, {})
    return set(media.get("examples", {}))


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
        for status in operation["responses"]:
            response = response_of(document, operation, status)
            codes = codes_of(response)
            if not codes:
                names = " ".join(name for _kind, name in _media_of(response))
                lines.append(f"  {status} {names}".rstrip())
            elif codes == {CODES[status]} or (status == 401 and operation["security"]):
                problems.append(str(status))
            else:
                problems.append(f"{status}({' '.join(sorted(codes))})")
        lines.append(f"  problems {' '.join(problems)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _media_of(body: Part) -> Iterator[tuple[str, str]]:
    for kind, media in body.get("content", {}).items():
        reference = media["schema"].get("$ref", "")
        yield kind, reference.removeprefix(REFERENCE) or media["schema"].get("title", "anything")


def _never_null(parameter: Part) -> None:
    """A parameter is absent, never null, whatever its default is in Python."""
    schema = parameter["schema"]
    match schema.pop("anyOf", None):
        case [present, {"type": "null"}]:
            schema |= present
        case [*several]:
            schema["anyOf"] = several
    # Ninja copies it beside the schema.
    schema.pop("description", None)


def _describe_successes(operation: Part, schemas: Part) -> None:
    responses = operation["responses"]
    successes = {status: one for status, one in responses.items() if status not in TITLES}
    for status, response in successes.items():
        response["description"] = SUCCESSES.get(status, "Answered")
    bodies = [operation.get("requestBody", {}), *successes.values()]
    for kind, media in (item for body in bodies for item in body.get("content", {}).items()):
        if kind == "application/json":
            media["example"] = example_of(media["schema"], schemas)


def _problem_response(status: int, codes: Codes, declared: Part, schemas: Part) -> Part:
    """`declared` is what the operation itself says, if the problem has members of its own."""
    [own] = declared.get("content", {"": {"schema": {"$ref": f"{REFERENCE}Problem"}}}).values()
    media: Part = {"schema": own["schema"], "examples": {}}
    members: Any = example_of(own["schema"], schemas)
    del members["errors"]
    for code, words in codes.items():
        example: Part = members | {
            "type": "about:blank",
            "title": TITLES[status],
            "status": status,
            "code": code,
            "detail": words,
        }
        if status == 422:
            error = {"loc": ["body", "color"], "code": "extra_forbidden"}
            example["errors"] = [error | {"msg": MESSAGES["extra_forbidden"]}]
        media["examples"][code] = {"summary": words, "value": example}
    names = ", ".join(f"`{code}`" for code in codes)
    response: Part = {"description": f"{TITLES[status]}: {names}", "content": {CONTENT_TYPE: media}}
    if status in HEADERS:
        response["headers"] = HEADERS[status]
    return response


def _unwrap(part: Any) -> None:
    """A reference with a default comes as `allOf` with this one part; generators make a type of its
    own of that."""
    if isinstance(part, dict):
        if len(part.get("allOf", ())) == 1:
            part |= part.pop("allOf")[0]
        for one in part.values():
            _unwrap(one)
    elif isinstance(part, list):
        for one in part:
            _unwrap(one)


def _undeclared(path: str, operation: Part) -> set[int]:
    """What an operation can answer beside what it declares itself."""
    statuses = {400, 422, 500, 503}  # 422: any query can have a parameter that is not known
    if "{" in path:
        statuses.add(404)
    if "requestBody" in operation:
        # A body without a schema is read as it comes, whatever it is.
        media = operation["requestBody"]["content"].values()
        statuses |= {413, 415} if all(one["schema"] for one in media) else {413}
    if any(parameter["name"] == "If-Match" for parameter in operation["parameters"]):
        statuses.add(412)
    return statuses


def _tell_defaults(schema: Part) -> None:
    """Generators make of a field with a `default` one that has to be sent; say it in words."""
    for field in schema.get("properties", {}).values():
        if "default" in field:
            default = json.dumps(field.pop("default"))
            field["description"] = f"{field.get('description', '')} Default: `{default}`.".strip()


def _drop_unused(document: Part) -> None:
    """Groups of query parameters are taken apart, so nothing refers to their schemas."""
    schemas = document["components"]["schemas"]
    used: set[str] = set()
    waiting = _references(document["paths"]) | _references(document["components"]["responses"])
    while waiting:
        used |= waiting
        waiting = {name for one in waiting for name in _references(schemas[one])} - used
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}


def _references(part: Part) -> set[str]:
    return set(re.findall(rf'"{REFERENCE}([^"]+)"', json.dumps(part, default=str)))

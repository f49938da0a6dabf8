"""Every answer of the API in the tests is held against the OpenAPI document, whoever asked for it:
`api`, a raw client, a thread, a live server, Schemathesis.

The middleware of the test settings writes down what is not as documented, and `conftest.py` fails
the test that caused it.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from jsonschema_rs import Draft202012Validator

from payments.provider.limits import CallLimit
from payments.provider.types import ProviderBusy
from project.api import api
from project.common.api.openapi import codes_of, operations_of, response_of
from project.common.api.problems import CONTENT_TYPE

type Json = dict[str, Any]

PREFIX = "/api/v1/"
# Of the API, but no operations.
PAGES = {f"{PREFIX}openapi.json", f"{PREFIX}docs"}
PROBLEM: Json = {"$ref": "#/components/schemas/Problem"}

# What was not as documented since a test last looked.
faults: list[str] = []
# Whether the request that runs here had us ask the payment provider.
asked: ContextVar[bool] = ContextVar("asked", default=False)


def note_questions[**P, R](place: Callable[P, R]) -> Callable[P, R]:
    @wraps(place)
    def noted(*args: P.args, **kwargs: P.kwargs) -> R:
        asked.set(True)
        return place(*args, **kwargs)

    return noted


CallLimit.place = note_questions(CallLimit.place)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Answer:
    """An answer with the request that it is for; `headers` do not care for letter case."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    had_us_ask: bool = False

    @classmethod
    def of(cls, method: str, path: str, response: HttpResponse) -> "Answer":
        content = response.content
        if response.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        return cls(method, path, response.status_code, response.headers, content, asked.get())

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]


class Document:
    """An OpenAPI document as a judge of answers. Stricter than it says itself: nothing may be in
    an answer that it does not name."""

    def __init__(self, document: Json) -> None:
        self._document = document = json.loads(json.dumps(document))
        self._components = _closed(document["components"])
        self._operations = [
            (method.upper(), re.compile(_pattern(path, operation)), operation)
            for path, method, operation in operations_of(document)
        ]
        # Compiled once: that takes longer than any use of it.
        self._validator = cache(self._compile)

    def faults_of(self, answer: Answer) -> Iterator[str]:
        """What is wrong with an answer, in words."""
        operations = {
            method: operation
            for method, pattern, operation in self._operations
            if pattern.fullmatch(answer.path)
        }
        if answer.method in operations:
            found = self._faults_in(answer, operations[answer.method])
        else:
            found = self._faults_outside(answer, operations.keys())
        for fault in found:
            yield f"{answer.method} {answer.path[:200]}, {answer.status}: {fault}"

    def _faults_in(self, answer: Answer, operation: Json) -> Iterator[str]:
        unavailable = codes_of(response_of(self._document, operation, "503"))
        if answer.had_us_ask and ProviderBusy.code not in unavailable:
            yield f"it asks the payment provider, and does not declare {ProviderBusy.code}"
        status = str(answer.status)
        if status not in operation["responses"]:
            yield f"the operation declares {', '.join(operation['responses'])} only"
            return
        response = response_of(self._document, operation, status)
        for name, header in response.get("headers", {}).items():
            text = answer.headers.get(name)
            value = int(text) if text and text.isdecimal() else text
            yield from self._misfits(value, header["schema"], f"header {name}")
        content = response.get("content", {})
        if not content:
            yield from ["there should be no body"] if answer.content else []
        elif answer.kind not in content:
            yield f"it is {answer.kind or 'of no kind'}, not {' or '.join(content)}"
        else:
            yield from self._misfits_in_body(answer, content[answer.kind]["schema"])
        if answer.kind == CONTENT_TYPE:
            declared = codes_of(response)
            if (code := json.loads(answer.content).get("code")) not in declared:
                yield f"the operation declares the codes {', '.join(sorted(declared))}, not {code}"

    def _faults_outside(self, answer: Answer, methods: Any) -> Iterator[str]:
        """Nothing is declared here, so that only an error can be right."""
        is_preflight = answer.method == "OPTIONS" and methods and answer.status == 200
        if answer.path in PAGES or is_preflight:
            return
        # 400: the request can't even be read, or is for another host.
        if answer.status not in {405 if methods else 404, 400}:
            yield "there is no such operation"
        elif answer.status == 405 and set(answer.headers["Allow"].split(", ")) != set(methods):
            yield f"it allows {answer.headers['Allow']}, the document {', '.join(methods)}"
        elif answer.kind != CONTENT_TYPE:
            yield f"it is {answer.kind or 'of no kind'}, not a problem document"
        else:
            yield from self._misfits_in_body(answer, PROBLEM)

    def _misfits_in_body(self, answer: Answer, schema: Json) -> Iterator[str]:
        try:
            body = json.loads(answer.content)
        except ValueError:
            yield "the body is no JSON"
            return
        yield from self._misfits(body, schema, "body")
        if answer.kind == CONTENT_TYPE and body.get("status") != answer.status:
            yield f"the problem document says {body.get('status')}"

    def _misfits(self, value: Any, schema: Json, place: str) -> Iterator[str]:
        for error in self._validator(json.dumps(schema)).iter_errors(value):
            yield f"{'.'.join(map(str, [place, *error.instance_path]))}: {error.message}"

    def _compile(self, schema: str) -> Draft202012Validator:
        whole = {**_closed(json.loads(schema)), "components": self._components}
        return Draft202012Validator(whole, validate_formats=True)


@cache
def document() -> Document:
    """The document of the application."""
    return Document(api.get_openapi_schema(path_prefix=PREFIX))


class DocumentedAnswers:
    """Outermost middleware of the test settings: looks at what leaves the application."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        method, path = str(request.method), request.path_info
        asked.set(False)
        response = self.get_response(request)
        if path.startswith(PREFIX):
            faults.extend(document().faults_of(Answer.of(method, path, response)))
        return response


def _pattern(path: str, operation: Json) -> str:
    """The paths of an operation. A whole number has digits only: another one is another path."""
    kinds = {given["name"]: given["schema"].get("type") for given in operation["parameters"]}
    parts = re.split(r"\{(\w+)\}", path)
    names = [r"[0-9]+" if kinds[name] == "integer" else r"[^/]+" for name in parts[1::2]]
    return "".join(part for pair in zip(parts[::2], [*names, ""], strict=True) for part in pair)


def _closed(part: Any) -> Any:
    """The same schemas, with no other fields than those that they name."""
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {name: _closed(one) for name, one in part.items()}
    if isinstance(part.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed

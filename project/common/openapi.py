"""The OpenAPI document as clients need it: stable ids, unique names, every error described."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.renderers import BaseRenderer
from orjson import dumps

from project.common.problems import CONTENT_TYPE
from project.common.schemas import Problem

# What can happen to any operation, beside what it declares itself.
ALWAYS = {400: "Bad request", 500: "Unexpected failure", 503: "Not available for the moment"}


class JSONRenderer(BaseRenderer):
    """Write responses with orjson."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> Any:
        return dumps(data)


class DescribedAPI(NinjaAPI):
    """A NinjaAPI whose document says all that its operations can answer."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**kwargs)
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"].update(problem.pop("$defs"))
        document["components"]["schemas"]["Problem"] = problem
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _describe_errors(path, operation)
        return document


def _describe_errors(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status in _statuses(path, operation):
        responses.setdefault(status, {"description": HTTPStatus(status).phrase})
    for status, response in responses.items():
        if status >= HTTPStatus.BAD_REQUEST:
            response["content"] = {
                CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
    if HTTPStatus.UNAUTHORIZED in responses:
        responses[HTTPStatus.UNAUTHORIZED]["headers"] = {
            "WWW-Authenticate": {"schema": {"type": "string"}}
        }
    if HTTPStatus.TOO_MANY_REQUESTS in responses:
        responses[HTTPStatus.TOO_MANY_REQUESTS]["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}
        }
    operation["responses"] = dict(sorted(responses.items()))


def _statuses(path: str, operation: dict[str, Any]) -> set[int]:
    statuses = set(ALWAYS)
    if operation.get("security"):
        statuses.add(HTTPStatus.UNAUTHORIZED)
    if "{" in path:
        statuses.add(HTTPStatus.NOT_FOUND)
    if "requestBody" in operation:
        statuses |= {
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        }
    if operation.get("parameters"):
        statuses.add(HTTPStatus.UNPROCESSABLE_ENTITY)
    return {int(status) for status in statuses}

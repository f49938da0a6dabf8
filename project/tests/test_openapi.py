"""The OpenAPI document says all that a client has to know."""

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from ninja.openapi.schema import OpenAPISchema
from openapi_schema_validator import OAS31Validator

from project.api import api
from project.common.api.openapi import codes_of, operations_of, outline, response_of
from project.common.api.problems import CODES

OUTLINE = Path(__file__).parent / "openapi_outline.txt"
DOCUMENT = api.get_openapi_schema()
OPERATIONS = {operation["operationId"]: operation for _p, _m, operation in operations_of(DOCUMENT)}

# docs/rules.md, 1.2: what anyone may call. Everything else needs an access token.
OPEN = {
    "get_meta",
    "register",
    "obtain_token",
    "refresh_token",
    "verify_token",
    "logout",
    "request_password_reset",
    "confirm_password_reset",
    "confirm_email",
    "request_reactivation",
    "confirm_reactivation",
    "receive_stripe_event",
}


def test_operations_change_only_on_purpose():
    renew = "uv run manage.py export_openapi --outline project/tests/openapi_outline.txt"
    assert outline(DOCUMENT) == OUTLINE.read_text(), f"if it was meant: {renew}"


def test_an_operation_id_is_a_verb_in_snake_case_and_unique():
    ids = [operation["operationId"] for _path, _method, operation in operations_of(DOCUMENT)]
    assert len(ids) == len(set(ids))
    assert [one for one in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*", one)] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described(name):
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1
    assert {400, 500, 503} < operation["responses"].keys()
    for parameter in operation["parameters"]:
        assert parameter.get("description") or parameter["in"] == "path", parameter["name"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_whether_it_needs_a_token(name):
    operation = OPERATIONS[name]
    if name in OPEN:
        assert operation["security"] == []
    else:
        assert operation["security"] == [{"AccessTokenAuth": []}]
        assert 401 in operation["responses"]


@pytest.mark.parametrize("is_public", [False, True])
def test_the_catalog_needs_no_token_where_it_is_public(settings, client, is_public):
    settings.PUBLIC_CATALOG = is_public
    served = client.get("/api/v1/openapi.json").json()
    token: dict[str, list[str]] = {"AccessTokenAuth": []}
    optional = [
        operation["operationId"]
        for _path, _method, operation in operations_of(served)
        if operation["security"] == [{}, token]
    ]
    assert optional == (["list_catalog_courses", "get_catalog_course"] if is_public else [])


@pytest.mark.parametrize("name", OPERATIONS)
def test_bodies_and_answers_have_examples_that_their_schemas_allow(name):
    operation = OPERATIONS[name]
    media = [*operation.get("requestBody", {}).get("content", {}).items()]
    for status in operation["responses"]:
        media += response_of(DOCUMENT, operation, status).get("content", {}).items()
    assert media
    for kind, content in media:
        if kind == "multipart/form-data":
            continue
        schema = {"components": DOCUMENT["components"], **content["schema"]}
        for example in _examples(content):
            OAS31Validator(schema).validate(example)
            assert "text" not in _texts(example), "a field has no example of its own"


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_problem_of_an_operation_names_its_codes_and_shows_each(name):
    operation = OPERATIONS[name]
    for status in operation["responses"].keys() & CODES.keys():
        response = response_of(DOCUMENT, operation, status)
        [content] = response["content"].values()
        examples = _examples(content)
        assert {example["code"] for example in examples} == codes_of(response)
        assert {example["status"] for example in examples} == {status}
        assert all(f"`{code}`" in response["description"] for code in codes_of(response))


@pytest.mark.parametrize("name", OPERATIONS)
def test_who_has_to_wait_is_told_for_how_long(name):
    operation = OPERATIONS[name]
    for status in {429, 503} & operation["responses"].keys():
        assert "Retry-After" in response_of(DOCUMENT, operation, status)["headers"]


def test_the_codes_are_an_enumeration_of_what_the_operations_name():
    named = {code for one in DOCUMENT["components"]["responses"].values() for code in codes_of(one)}
    enumerated = DOCUMENT["components"]["schemas"]["ProblemCode"]["enum"]
    assert set(enumerated) == named | {"not_found", "method_not_allowed"}
    assert "email_taken" in named
    assert named.isdisjoint({"finding_closed", "refund_too_high"}), "those of the admin"


def test_a_parameter_is_absent_and_never_null():
    parameters = [one for operation in OPERATIONS.values() for one in operation["parameters"]]
    assert parameters
    assert '"null"' not in json.dumps(parameters)


def test_the_document_is_in_english_whoever_asks(client):
    answers = [
        client.get("/api/v1/openapi.json", headers={"accept-language": language})
        for language in ("ru", "en")
    ]
    assert answers[0].content == answers[1].content


def test_the_document_is_made_once(client, monkeypatch):
    first = client.get("/api/v1/openapi.json")
    monkeypatch.setattr(api, "get_openapi_schema", None)
    assert client.get("/api/v1/openapi.json").content == first.content


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_who_has_the_document_does_not_get_it_again(client, encoding):
    headers = {"accept-encoding": encoding}
    first = client.get("/api/v1/openapi.json", headers=headers)
    assert first["Cache-Control"] == "public, max-age=60"
    again = client.get("/api/v1/openapi.json", headers=headers | {"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_document_can_only_be_read(client):
    response = client.post("/api/v1/openapi.json")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_every_tag_is_described():
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]} == used


def test_limits_are_in_words_of_json_schema():
    assert not re.findall(
        r'"(?:ge|gt|le|lt|multiple_of|min_length|max_length)":', json.dumps(DOCUMENT)
    )


def test_one_name_is_one_schema(monkeypatch):
    seen: dict[str, object] = {}
    conflicts = []
    add = OpenAPISchema.add_schema_definitions

    def compare(self, definitions):
        for name, definition in definitions.items():
            if seen.setdefault(name, definition) != definition:
                conflicts.append(name)
        add(self, definitions)

    monkeypatch.setattr(OpenAPISchema, "add_schema_definitions", compare)
    api.get_openapi_schema()
    assert "CourseOut" in seen
    # Groups of query parameters, which the document takes apart, may share a name.
    assert [name for name in conflicts if name in DOCUMENT["components"]["schemas"]] == []


def test_the_document_is_served_to_anyone_as_it_is_exported(client, tmp_path, capsys):
    exported = tmp_path / "openapi.json"
    call_command("export_openapi", exported)
    call_command("export_openapi")
    served = client.get("/api/v1/openapi.json").json()
    assert json.loads(exported.read_text()) == served == json.loads(capsys.readouterr().out)


def _examples(content):
    if "example" in content:
        return [content["example"]]
    return [example["value"] for example in content["examples"].values()]


def _texts(example):
    if isinstance(example, dict):
        return [text for value in example.values() for text in _texts(value)]
    if isinstance(example, list):
        return [text for value in example for text in _texts(value)]
    return [example] if isinstance(example, str) else []

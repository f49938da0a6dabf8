"""The judge of the API's answers notices whatever is not as the OpenAPI document says."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import path

from lms.tests.factories import CourseFactory
from payments.tests.factories import PaymentFactory
from project import urls
from project.tests import documented
from project.tests.documented import Answer, Document, document
from project.tests.test_openapi import DOCUMENT

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

ABSENT = object()


def planted(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"items": []})


urlpatterns = [path("api/v1/subscriptions", planted), *urls.urlpatterns]


def judged(response: Any) -> Answer:
    """The answer, if it is as documented: what is changed in it after that is a fault."""
    asked = response.request
    answer = Answer.of(asked["REQUEST_METHOD"], asked["PATH_INFO"], response)
    assert list(document().faults_of(answer)) == []
    return answer


def with_fields(answer: Answer, fields: dict[str, Any]) -> Answer:
    body = json.loads(answer.content) | fields
    kept = {name: value for name, value in body.items() if value is not ABSENT}
    return replace(answer, content=json.dumps(kept).encode())


@pytest.fixture
def course(api, author):
    return judged(api(author).get(f"courses/{CourseFactory.create(owner=author).pk}"))


@pytest.mark.urls("project.tests.test_documented")
def test_a_wrong_answer_fails_its_test_whoever_asked(api, author, request):
    api(author).get("subscriptions")
    Client().get("/api/v1/subscriptions")
    found = documented.faults.copy()
    documented.faults.clear()
    missing = [f'"{name}" is a required' for name in ("count", "page", "page_size", "pages")]
    assert [words in fault for fault, words in zip(found, missing * 2, strict=True)] == [True] * 8
    assert "_documented_answers" in request.fixturenames


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"title": ABSENT}, 'body: "title" is a required property'),
        ({"secret": 1}, "body: Additional properties are not allowed ('secret' was unexpected)"),
        ({"owner": {"id": 1, "first_name": None, "city": None}}, "body.owner: Additional prop"),
        ({"lessons": [{"id": 1}]}, 'body.lessons.0: "course_id" is a required property'),
        ({"id": "7"}, 'body.id: "7" is not of type "integer"'),
        ({"price": 5}, 'body.price: 5 is not of type "string"'),
        ({"price": "5"}, 'body.price: "5" does not match'),
        ({"created_at": "yesterday"}, 'body.created_at: "yesterday" is not a "date-time"'),
    ],
)
def test_another_shape_is_noticed(course, fields, words):
    [fault, *_more] = document().faults_of(with_fields(course, fields))
    assert fault.startswith(f"GET {course.path}, 200: {words}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": 202}, "the operation declares 200, 304, 400, 401, 404"),
        ({"content": b"<html>"}, "the body is no JSON"),
        (
            {"headers": {"Content-Type": "application/json"}},
            'header ETag: null is not of type "str',
        ),
        (
            {"headers": {"ETag": "x", "Content-Type": "text/html"}},
            "it is text/html, not application",
        ),
        ({"headers": {"ETag": "x"}}, "it is of no kind, not application/json"),
        ({"status": 304}, "there should be no body"),
        ({"method": "PUT"}, "there is no such operation"),
        ({"path": "/api/v1/nowhere"}, "there is no such operation"),
    ],
)
def test_another_kind_of_answer_is_noticed(course, changes, words):
    [fault] = document().faults_of(replace(course, **changes))
    assert words in fault


def test_a_status_is_the_matter_of_its_own_operation(api, author):
    course = CourseFactory.create(owner=author)
    PaymentFactory.create(course=course)
    answer = judged(api(author).delete(f"courses/{course.pk}"))
    assert answer.status == 409
    changed = deepcopy(DOCUMENT)
    del changed["paths"]["/api/v1/courses/{course_id}"]["delete"]["responses"][409]
    [fault] = Document(changed).faults_of(answer)
    assert "409: the operation declares 204, 400" in fault


def test_who_asks_the_payment_provider_says_that_it_may_be_busy(course):
    [fault] = document().faults_of(replace(course, had_us_ask=True))
    assert fault.endswith(
        "it asks the payment provider, and does not declare payment_provider_busy"
    )


def test_a_declared_header_is_asked_for(api, settings):
    unknown = judged(api(None).get("users"))
    settings.THROTTLE_RESET = "1/min"
    for _time in range(2):
        response = api(None).post("auth/password/reset", {"email": "a@b.example"})
    too_many = judged(response)
    kind = {"Content-Type": "application/problem+json"}
    for answer, headers, words in (
        (unknown, {}, 'header WWW-Authenticate: null is not of type "string"'),
        (too_many, {}, 'header Retry-After: null is not of type "integer"'),
        (too_many, {"Retry-After": "soon"}, 'header Retry-After: "soon" is not of type "integer"'),
    ):
        [fault] = document().faults_of(replace(answer, headers=kind | headers))
        assert words in fault


def test_a_problem_is_one_of_its_status_and_outside_of_operations_too(api, author):
    wrong_method = judged(api(author).put("courses", {}))
    nowhere = judged(api(author).get("nowhere"))
    for answer, changes, words in (
        (nowhere, {"status": 400}, "the problem document says 404"),
        (nowhere, {"headers": {"Content-Type": "text/html"}}, "not a problem document"),
        (wrong_method, {"path": "/api/v1/nowhere"}, "there is no such operation"),
        (nowhere, {"path": "/api/v1/courses", "method": "PUT"}, "there is no such operation"),
        (wrong_method, {"headers": {"Allow": "GET"}}, "it allows GET, the document GET, POST"),
    ):
        [fault] = document().faults_of(replace(answer, **changes))
        assert words in fault
    [fault] = document().faults_of(with_fields(nowhere, {"code": ABSENT}))
    assert 'body: "code" is a required property' in fault

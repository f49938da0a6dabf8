"""Schemathesis asks whatever the OpenAPI document allows, and much that it does not, and compares
the answers with the document. Deterministic; CI tries more (`SCHEMATHESIS_EXAMPLES`)."""

import os
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction

from lms.tests.factories import CourseFactory, LessonFactory
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from people.tokens import issue_access_token
from project.wsgi import application

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))
# Rows that exist, far from those that the tests create; every kind has the same ids.
OWN, FOREIGN, ABSENT = 1_000_001, 1_000_002, 1_000_003


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Let ids be those of rows that exist, or nothing but 404 would ever be seen."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            if operation["operationId"] in {"unsubscribe_from_course", "leave_course"}:
                continue  # They take any id: there is no subscription then, as wished.
            for parameter in operation["parameters"]:
                # In a query every id is allowed, and none is missed.
                is_key = parameter["schema"].get("type") == "integer"
                if parameter["in"] == "path" and is_key:
                    parameter["schema"] = {"type": "integer", "enum": [OWN, FOREIGN, ABSENT]}


CONFIG = {
    # The token is ours: every request has a good one, and the check `ignored_auth` takes it away.
    "generation": {"deterministic": True, "with-security-parameters": False},
    "checks": {
        # Rules that a JSON schema can't tell: links, passwords, phone numbers, signatures, what has
        # to be paid for, tags of versions. What is documented for them is checked like any other answer.
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "400", "401", "402", "403", "404", "409", "412", "422"]
        },
    },
}
SCHEMA = schemathesis.openapi.from_wsgi(
    "/api/v1/openapi.json", application, config=schemathesis.Config.from_dict(CONFIG)
)


@pytest.fixture
def caller(db):
    """An administrator, to whom every operation answers, who owns the course, the lesson and the
    payment OWN. What others are refused stands in test_permission_table.py."""
    person = UserFactory.create(pk=OWN, is_superuser=True)
    course = CourseFactory.create(pk=OWN, owner=person, published=True)
    LessonFactory.create(pk=OWN, course=course)
    foreign = CourseFactory.create(pk=FOREIGN, published=True, price=5)
    LessonFactory.create(pk=FOREIGN, course=foreign)
    PaymentFactory.create(pk=OWN, payer=person, course=foreign)
    PaymentFactory.create(pk=FOREIGN, course=course)
    return person


@pytest.fixture
def one_connection(db):
    """The application shares the connection of the test, and so its transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@SCHEMA.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_answers_are_as_documented(case, caller, one_connection):
    headers = {
        "Authorization": f"Bearer {issue_access_token(caller)}",
        "Accept-Encoding": "identity",  # its WSGI client would ask for gzip, and can't read it
    }
    # Whatever one example does, the next one starts with the same rows.
    with transaction.atomic():
        case.call_and_validate(headers=headers)
        transaction.set_rollback(True)

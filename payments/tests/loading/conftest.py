"""A right row, the things it speaks of, and the writing of files to load."""

import csv
import io
import json
from decimal import Decimal

import pytest

from lms.tests.factories import CourseFactory, LessonFactory
from people.tests.factories import UserFactory


@pytest.fixture
def payer():
    return UserFactory.create(email="Vera@School.example")


@pytest.fixture
def course():
    return CourseFactory.create(title="Bread at home", price=Decimal("1990.00"))


@pytest.fixture
def lesson(course):
    return LessonFactory.create(course=course, title="Flour and water")


@pytest.fixture
def good(payer, course):
    """A row that is right, as a CSV file says it."""
    return {
        "external_id": "A-1",
        "user": "vera@school.example",
        "course_id": str(course.pk),
        "lesson_id": "",
        "title": "",
        "amount": "1990.00",
        "currency": "RUB",
        "method": "cash",
        "status": "paid",
        "paid_at": "2026-10-06T13:40:00Z",
        "created_at": "2026-10-05T09:12:00Z",
    }


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path: bytes or text as they are, rows as CSV or as a fixture."""

    def write(content, name="payments.csv"):
        path = tmp_path / name
        if isinstance(content, list) and name.endswith(".csv"):
            table = io.StringIO(newline="")
            writer = csv.DictWriter(table, fieldnames=list(content[0]))
            writer.writeheader()
            writer.writerows(content)
            content = table.getvalue()
        elif isinstance(content, list):
            content = json.dumps(
                [{"model": "payments.payment", "fields": fields} for fields in content]
            )
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write

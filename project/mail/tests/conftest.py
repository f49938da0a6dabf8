"""Kinds of mail for tests, the people who get them, and a mail server in the sender's own thread."""

from collections.abc import Iterator
from typing import Any

import pytest

from people.models import User
from people.tests.factories import UserFactory
from project.mail.tests.counter import Counter


@pytest.fixture(autouse=True)
def _kinds(settings: Any) -> None:
    settings.MAIL_KINDS = ["project.mail.tests.kinds"]


@pytest.fixture
def people(db: None) -> list[User]:
    return UserFactory.create_batch(5)


@pytest.fixture
def counter(settings: Any) -> Iterator[type[Counter]]:
    settings.MAILERS = {"default": {"BACKEND": "project.mail.tests.counter.Counter"}}
    Counter.reset()
    yield Counter
    Counter.reset()

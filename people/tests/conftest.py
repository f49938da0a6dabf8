"""Fixtures about people only."""

import re
from collections.abc import Callable

import pytest
from django.core import mail

from people.models import User
from people.tests.factories import UserFactory


@pytest.fixture
def link_by_mail(api, run_worker) -> Callable[[str, User], dict[str, str]]:
    """Ask for a link (`password/reset`, `reactivation`); return `uid` and `token` from the mail."""

    def ask(operation: str, user: User) -> dict[str, str]:
        mail.outbox.clear()
        run_worker(lambda: api(None).post(f"auth/{operation}", {"email": user.email}))
        (message,) = mail.outbox
        page = operation.replace("/", "-")
        found = re.search(rf"https://school\.example/{page}/([^/\s]+)/([^/\s]+)", str(message.body))
        assert found is not None
        return {"uid": found[1], "token": found[2]}

    return ask


@pytest.fixture
def inactive(db: None) -> User:
    """Blocked by the inactivity sweep."""
    return UserFactory.create(first_name="Ivan", inactive=True)

"""Fixtures about people only."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.core import mail
from django.db import Error, OperationalError, connection

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


@pytest.fixture
def meanwhile() -> Callable[..., AbstractContextManager[None]]:
    """Do something once within the block, as another request that comes in between would: right
    before the statement that follows the first one with `after` in it."""

    @contextmanager
    def between(act: Callable[[], Any], *, after: str = 'FROM "people_user"') -> Iterator[None]:
        seen: list[str] = []
        done: list[str] = []

        def execute_after(execute: Any, sql: str, *rest: Any) -> Any:
            if seen and not done:
                done.append(sql)
                act()
            result = execute(sql, *rest)
            if after in sql:
                seen.append(sql)
            return result

        with connection.execute_wrapper(execute_after):
            yield
        assert done, "nothing came in between"

    return between


@pytest.fixture
def failing_at() -> Callable[..., AbstractContextManager[None]]:
    """Within the block the database fails at a statement with this in it."""

    @contextmanager
    def fail(text: str, error: type[Error] = OperationalError) -> Iterator[None]:
        failed = []

        def execute(execute: Any, sql: str, *rest: Any) -> Any:
            if text in sql:
                failed.append(sql)
                raise error("the disk is full")
            return execute(sql, *rest)

        with connection.execute_wrapper(execute):
            yield
        assert failed, "the statement was not reached"

    return fail

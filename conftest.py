"""Fixtures for all apps: named people, and a client that speaks the API as each of them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from people.models import User, moderators_group
from people.tests.factories import UserFactory
from people.tokens import issue_access_token


class ApiClient:
    """Calls the API with JSON, as one person or as nobody."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, **options: Any) -> Any:
        return self._call("get", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._call("post", path, body=body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._call("put", path, body=body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._call("patch", path, body=body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self._call("delete", path, **options)

    def upload(self, path: str, content: bytes, *, name: str = "picture.jpg") -> Any:
        """PUT a form with one part named `file`."""
        form = {"file": SimpleUploadedFile(name, content)}
        return self._call(
            "put", path, data=encode_multipart(BOUNDARY, form), content_type=MULTIPART_CONTENT
        )

    def _call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if self.user is not None:
            headers.setdefault("Authorization", f"Bearer {issue_access_token(self.user)}")
        if body is not None:
            options |= {"data": body, "content_type": "application/json"}
        send = getattr(self.client, method)
        return send(f"/api/v1/{path}", headers=headers, **options)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def api() -> Callable[[User | None], ApiClient]:
    """The API as somebody: `api(author).get("courses")`, `api(None)` for anonymous."""
    return ApiClient


@pytest.fixture
def author(db: None) -> User:
    return UserFactory.create(first_name="Anna")


@pytest.fixture
def learner(db: None) -> User:
    return UserFactory.create(first_name="Lev")


@pytest.fixture
def stranger(db: None) -> User:
    return UserFactory.create(first_name="Stepan")


@pytest.fixture
def moderator(moderators: None) -> User:
    user = UserFactory.create(first_name="Mira", is_staff=True)
    user.groups.add(moderators_group())
    return user


@pytest.fixture
def administrator(db: None) -> User:
    return UserFactory.create(first_name="Ada", is_staff=True, is_superuser=True)


@pytest.fixture
def moderators(db: None) -> None:
    """The group as it is shipped."""
    call_command("loaddata", "fixtures/groups.json", verbosity=0)

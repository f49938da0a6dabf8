"""Which of Django's rights do something, as the admin and the permission functions answer; those are
the ones that a role can have."""

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import RequestFactory

import lms.permissions
import payments.permissions
import people.permissions
from lms.admin.materials import person_label
from lms.tests.factories import CourseFactory
from people.admin.rights import AREAS, WORDS, name_of
from people.models import User
from people.tests.factories import UserFactory
from project.admin_site.menu import sidebar
from project.common.admin.actions import ActionsAdmin

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

POLICIES: tuple[ModuleType, ...] = (lms.permissions, payments.permissions, people.permissions)


def questions_of(module: ModuleType) -> Iterator[Callable[..., bool]]:
    """The functions of a person, or of a person and another one."""
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if name.startswith(("can_", "may_")):
            names = list(inspect.signature(function).parameters)
            if names in (["user"], ["user", "person"]):
                yield function


def answers(user: User, other: User) -> list[Any]:
    """All that the platform says of what this person may do."""
    request = RequestFactory().get("/admin/")
    request.user = user
    said: list[Any] = [str(sidebar(request)), person_label(user, other)]
    for model_admin in admin.site._registry.values():
        said += [
            getattr(model_admin, name)(request)
            for name in dir(model_admin)
            # That of a module opens nothing that one of its models does not open.
            if name.startswith("has_") and name.endswith("_permission") and "module" not in name
        ]
        if isinstance(model_admin, ActionsAdmin):
            said += [action.allows(user) for action in model_admin.staff_actions]
        for inline in model_admin.inlines:
            section = inline(model_admin.model, admin.site)
            said += [
                section.has_view_permission(request),
                section.has_add_permission(request, None),
            ]
    for module in POLICIES:
        for ask in questions_of(module):
            people = (user, other)
            said.append(ask(*people[: len(inspect.signature(ask).parameters)]))
    return said


def with_rights(user: User, names: set[str]) -> User:
    """The same person, who has these rights and no others."""
    again: User = User.objects.get(pk=user.pk)
    vars(again)["_perm_cache"] = names  # where Django keeps them for the time of a request
    return again


def test_the_rights_that_a_role_can_have_are_those_that_do_something():
    staff, other = UserFactory.create(is_staff=True), UserFactory.create()
    CourseFactory.create(owner=staff)
    every = {name_of(right) for right in Permission.objects.select_related("content_type")}
    with_all = answers(with_rights(staff, every), other)
    with_none = answers(with_rights(staff, set()), other)
    effective = {
        name
        for name in every
        if answers(with_rights(staff, {name}), other) != with_none
        or answers(with_rights(staff, every - {name}), other) != with_all
    }
    assert effective == {*WORDS}


def test_rights_are_shown_by_area_and_in_words(client_of, administrator, moderators):
    client = client_of(administrator)
    text = client.get("/admin/people/role/add/").text
    for area, rights in AREAS.items():
        assert str(area).replace("'", "&#x27;") in text
        assert all(str(words) in text for words in rights.values())
    assert text.count('name="permissions"') == len(WORDS)
    client.post("/i18n/setlang/", {"language": "ru"})
    assert "See and export payments" not in client.get("/admin/people/role/add/").text

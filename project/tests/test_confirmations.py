"""Which acts of staff are destructive, what brings back what they did, and what has to be typed where
nothing does (docs/rules.md, 13.11)."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse

from lms.tests.factories import CourseFactory, LessonFactory
from people.models import Role
from project.common.admin.actions import StaffAction
from project.common.admin.deleting import DeletingAdmin

TYPED = "nothing: it is typed whom it is about"
# Each action whose button is red, with what brings back what it took.
RED = {
    "lms.PendingUpdate.drop": "the next edit is told of, and the course stays",
    "lms.Access.revoke": "another access",
    "people.User.withdraw": "another invitation",
    "people.User.block": "unblock",
    "people.User.take_roles": "give_roles",
    "people.User.end_sessions": "the next log-in",
    "people.User.reset_second_factor": "the person, with a new device",
    "people.User.erase": TYPED,
    "people.Role.remove_members": "add_members",
    "payments.Payment.reject": "confirm",
    "payments.Payment.refund": TYPED,
    "payments.Payment.undo_confirmation": "confirm",
    "payments.Finding.refund": TYPED,
}
# Each model that can be deleted here, with why it is not typed what goes; empty: it is.
DELETED = {"lms.Course": "", "lms.Lesson": "one of many", "people.Role": "nobody else loses by it"}


def actions() -> dict[str, StaffAction[Any]]:
    return {
        f"{model._meta.label}.{one.name}": one
        for model, model_admin in admin.site._registry.items()
        for one in getattr(model_admin, "staff_actions", ())
    }


def test_each_destructive_action_is_in_the_table_and_no_other():
    assert {name for name, one in actions().items() if one.is_danger} == set(RED)


def test_of_these_what_nothing_brings_back_is_typed_and_nothing_else():
    asks_nothing = StaffAction.__dataclass_fields__["typed"].default
    typed = {
        name for name, one in actions().items() if one.is_danger and one.typed is not asks_nothing
    }
    assert typed == {name for name, comes_back in RED.items() if comes_back == TYPED}


@pytest.mark.django_db
@pytest.mark.any_database
def test_each_model_that_can_be_deleted_is_in_the_table(administrator):
    request = RequestFactory().get("/")
    request.user = administrator
    deletable = {
        model._meta.label: model_admin
        for model, model_admin in admin.site._registry.items()
        if model_admin.has_delete_permission(request)
    }
    assert set(deletable) == set(DELETED)
    assert all(isinstance(one, DeletingAdmin) for one in deletable.values())


@pytest.mark.django_db
@pytest.mark.any_database
def test_a_deletion_says_that_it_is_final_and_asks_for_what_the_table_says(
    client_of, administrator
):
    rows = CourseFactory.create(), LessonFactory.create(), Role.objects.create(name="Helpers")
    for row in rows:
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}_delete"
        text = client_of(administrator).get(reverse(name, args=[row.pk])).text
        assert f"Delete: {row}</h1>" in text
        assert "This can&#x27;t be undone" in text or "This can't be undone" in text
        assert ('name="typed"' in text) == (not DELETED[row._meta.label])


def test_each_page_that_asks_has_a_heading():
    folder = Path(settings.BASE_DIR, "templates/admin")
    for path in folder.rglob("*.html"):
        text = path.read_text()
        if "admin/base_site.html" in text and '{% translate "Cancel" %}' in text:
            assert "<h1" in text, path

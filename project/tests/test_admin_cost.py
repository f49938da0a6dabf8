"""What pages of the admin cost: templates take most of it, so that what comes many times on a page has few."""

from collections.abc import Callable
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import reverse

from lms.tests.factories import CourseFactory, LessonFactory
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

LISTS: dict[str, Callable[[int], object]] = {
    "lms_lesson": lambda number: LessonFactory.create_batch(number, course=CourseFactory()),
    "payments_payment": lambda number: PaymentFactory.create_batch(number, course=CourseFactory()),
    "people_user": UserFactory.create_batch,
}


@pytest.fixture
def rendered(
    monkeypatch: pytest.MonkeyPatch, client_of: Callable[[User], Client], administrator: User
) -> Callable[[str], int]:
    """How many templates a page renders, with those that others include."""
    client, names = client_of(administrator), []
    usual = vars(Template)["_render"]

    def render(template: Template, context: Context) -> Any:
        names.append(template.name)
        return usual(template, context)

    def count(page: str) -> int:
        client.get(page)  # what is drawn once is kept
        names.clear()
        assert client.get(page).status_code == 200
        return len(names)

    monkeypatch.setattr(Template, "_render", render)
    return count


@pytest.mark.parametrize("name", LISTS)
def test_rows_of_a_list_render_no_templates(name: str, rendered: Callable[[str], int]) -> None:
    page = reverse(f"admin:{name}_changelist")
    LISTS[name](2)
    few = rendered(page)
    LISTS[name](8)
    assert rendered(page) == few


def test_a_row_on_the_page_of_a_person_renders_one_template(
    rendered: Callable[[str], int], learner: User
) -> None:
    page = reverse("admin:people_user_change", args=[learner.pk])
    PaymentFactory.create_batch(2, payer=learner, course=CourseFactory())
    few = rendered(page)
    PaymentFactory.create_batch(5, payer=learner, course=CourseFactory())
    assert rendered(page) == few + 5

"""What pages of the admin cost: templates take most of it, so that what comes many times on a page has none."""

from collections.abc import Callable

import pytest
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


@pytest.mark.parametrize("name", LISTS)
def test_rows_of_a_list_render_no_templates(
    name: str, client_of: Callable[[User], Client], administrator: User
) -> None:
    client, page = client_of(administrator), reverse(f"admin:{name}_changelist")

    def rendered(number: int) -> int:
        LISTS[name](number)
        client.get(page)  # draws the labels
        return len(client.get(page).templates)

    assert rendered(2) == rendered(10)

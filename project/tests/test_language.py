"""The admin speaks Russian as its grammar asks for."""

import re
from html import unescape

import pytest
from django.urls import reverse

from lms.tests.factories import CourseFactory
from people.models import Role
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def read(client_of, administrator):
    """Open a page of the admin, or send a form to it, and read it in Russian."""
    client = client_of(administrator)
    client.cookies["django_language"] = "ru"

    def open_page(address, form=None):
        ask = client.get if form is None else client.post
        return unescape(ask(address, form or {}, follow=True).content.decode())

    return open_page


def title_of(page):
    return re.findall(r"<title>\s*(.*?)\s*\|", page, re.DOTALL)[0]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("people_user_add", "Добавить человека"),
        ("people_role_add", "Добавить роль"),
        ("people_user_changelist", "Люди"),
    ],
)
def test_a_title_names_what_is_done_in_its_case(read, name, title):
    assert title_of(read(reverse(f"admin:{name}"))) == title


def test_the_title_of_a_row_has_its_case(read, moderators):
    role = Role.objects.get(name="moderators")
    page = read(reverse("admin:people_role_change", args=[role.pk]))
    assert re.search(r"<title>[^<]*\| Изменить роль \|", page)


def test_a_question_about_many_counts_them(read):
    people = UserFactory.create_batch(5)
    form = {"action": "block_many", "_selected_action": [person.pk for person in people]}
    assert "Заблокировать: 5 человек" in read(reverse("admin:people_user_changelist"), form)


def test_what_was_saved_and_deleted_is_told_without_a_gender(read):
    course = CourseFactory.create(title="Хлеб")
    page = read(reverse("admin:lms_course_delete", args=[course.pk]))
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page))
    said = read(
        reverse("admin:lms_course_delete", args=[course.pk]),
        {**hidden, "post": "yes", "typed": "Хлеб"},
    )
    assert "Удалено: курс «Хлеб»." in said

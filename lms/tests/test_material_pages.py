"""The fields of a course and of a lesson on their pages of the admin."""

import re
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.test_admin import FOREIGN, errors_of, page
from payments.tests.factories import PaymentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.mark.parametrize(
    ("language", "hints"),
    [
        ("en", ["Preview picture", "Open to everybody", "₽", "on YouTube; no other site"]),
        ("ru", ["Обложка", "Открыт для всех", "₽", "на YouTube; другие сайты"]),
    ],
)  # fmt: skip
def test_the_page_of_a_lesson_says_what_goes_where(client_of, moderator, language, hints):
    lesson = LessonFactory.create()
    client = client_of(moderator)
    client.post(reverse("set_language"), {"language": language})
    shown = client.get(page("lesson_change", lesson.pk))
    text = shown.content.decode()
    assert [hint for hint in hints if hint not in text] == []


def test_the_front_end_shows_a_course_and_a_lesson_as_learners_see_them(
    client_of, moderator, settings
):
    settings.FRONTEND_URL = "https://front.example"
    lesson = LessonFactory.create()
    client = client_of(moderator)
    course = client.get(page("course_change", lesson.course_id)).content.decode()
    assert f'href="https://front.example/courses/{lesson.course_id}"' in course
    shown = client.get(page("lesson_change", lesson.pk)).content.decode()
    assert f'href="https://front.example/learn/{lesson.course_id}/{lesson.pk}"' in shown
    assert "See as a learner" in shown


def shown_of(client: Any, text: str) -> Any:
    return client.post(reverse("admin:lms_markdown"), {"text": text})


def test_a_description_is_shown_as_it_will_be_while_it_is_typed(client_of, moderator):
    text = "# Bread\r\n\r\n```python\r\nx.to(device)\r\n```\r\n<script>alert(1)</script>"
    shown = shown_of(client_of(moderator), text).json()
    saved = LessonFactory.create(description=text.replace("\r\n", "\n"))
    assert shown == {"html": saved.description_html, "refusal": ""}
    page_of_it = client_of(moderator).get(page("lesson_change", saved.pk)).content.decode()
    assert f"data-shown>{saved.description_html}</div>" in page_of_it


@pytest.mark.parametrize(
    ("text", "said"), [(FOREIGN, "https://evil.example/course"), ("x" * 20_001, "20000 characters")]
)
def test_what_the_form_will_refuse_is_said_while_it_is_typed(client_of, moderator, text, said):
    shown = shown_of(client_of(moderator), text).json()
    assert said in shown["refusal"]
    assert "evil.example" not in "".join(re.findall('href="[^"]*"', shown["html"]))
    assert len(shown["html"]) < 20_100


def test_only_who_may_write_materials_has_descriptions_rendered(
    client_of, moderator, support, learner
):
    assert shown_of(client_of(moderator), "x").status_code == 200
    assert shown_of(client_of(support), "x").status_code == 403
    assert shown_of(client_of(learner), "x").status_code == 302


def test_a_rule_that_refuses_only_the_save_keeps_what_was_entered(client_of, administrator):
    """Somebody pays for the lesson after the form was checked, before the lesson moves."""
    lesson, other = LessonFactory.create(), CourseFactory.create()
    form: Any = {"course": other.pk, "title": "Typed", "description": "At length", "price": "5"}
    paid: list[str] = []

    def pay_before_the_move(execute: Any, sql: str, *rest: Any) -> Any:
        if "UNION" in sql and '"lms_course"' in sql and not paid:
            paid.append(sql)
            PaymentFactory.create(paid=True, course=None, lesson=lesson)
        return execute(sql, *rest)

    with connection.execute_wrapper(pay_before_the_move):
        refused = client_of(administrator).post(page("lesson_change", lesson.pk), form)
    assert refused.status_code == 200
    assert paid
    assert errors_of(refused)["__all__"] == [str(authoring.LessonKept.message)]
    entered = refused.context["adminform"].form
    assert [entered[name].value() for name in form] == [str(other.pk), "Typed", "At length", "5"]
    lesson.refresh_from_db()
    assert lesson.title != "Typed"

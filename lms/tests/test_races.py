"""Several requests at once about one course, while somebody deletes it."""

import threading
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.db import connection
from PIL import Image

from lms.models import Completion, Course, Subscription
from lms.tests.factories import CourseFactory, LessonFactory

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3


def at_once(*acts: Callable[[], Any]) -> Counter[int]:
    """Do all of it at the same time; return the statuses of the answers."""
    answers: list[Any] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> None:
        start.wait()
        try:
            answers.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(answer.status_code for answer in answers)


@pytest.fixture
def picture() -> bytes:
    encoded = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(encoded, "JPEG")
    return encoded.getvalue()


def test_a_course_is_deleted_once(api, author):
    for _round in range(ROUNDS):
        path = f"courses/{CourseFactory.create(owner=author).pk}"
        assert at_once(*[lambda: api(author).delete(path)] * 6) == {204: 1, 404: 5}  # noqa: B023


def test_a_lesson_is_deleted_once(api, author):
    for _round in range(ROUNDS):
        path = f"lessons/{LessonFactory.create(course__owner=author).pk}"
        assert at_once(*[lambda: api(author).delete(path)] * 6) == {204: 1, 404: 5}  # noqa: B023


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_what_is_deleted_meanwhile_is_not_there(api, author, learner, picture, what):
    """Each request finds it, or does not; none fails, and nothing is left of it."""
    for _round in range(ROUNDS):
        course = CourseFactory.create(owner=author, published=True)
        lesson = LessonFactory.create(course=course, is_preview=True)
        course_path, lesson_path = f"courses/{course.pk}", f"lessons/{lesson.pk}"
        doomed = course_path if what == "course" else lesson_path
        acts: list[Callable[[], Any]] = [
            lambda: api(author).delete(doomed),  # noqa: B023
            lambda: api(author).patch(course_path, {"title": "Anew"}),  # noqa: B023
            lambda: api(author).patch(lesson_path, {"title": "Anew"}),  # noqa: B023
            lambda: api(author).upload(f"{course_path}/preview", picture),  # noqa: B023
            lambda: api(author).upload(f"{lesson_path}/preview", picture),  # noqa: B023
            lambda: api(author).post("lessons", {"course_id": course.pk, "title": "New"}),  # noqa: B023
            lambda: api(learner).post(f"{course_path}/subscription"),  # noqa: B023
            lambda: api(learner).post(f"learning/{course_path}/enrollment"),  # noqa: B023
            lambda: api(learner).put(f"learning/{lesson_path}/completion"),  # noqa: B023
        ]
        statuses = at_once(*acts)
        assert set(statuses) <= {200, 201, 204, 403, 404, 422}
    if what == "course":
        assert not Course.objects.exists()
        assert not Subscription.objects.exists()
    assert not Completion.objects.exists()

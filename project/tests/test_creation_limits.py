"""One person cannot fill the disk, nor have us ask others all day long."""

import json
from typing import Any

import pytest
from django.core.cache import cache
from redis.exceptions import ConnectionError as RedisConnectionError

from lms.models import Course
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import User
from people.tests.factories import UserFactory
from project.common.api.openapi import codes_of, operations_of, response_of
from project.common.errors import Throttled
from project.tests.test_openapi import DOCUMENT, OPERATIONS
from project.tests.test_permission_table import PICTURE, ROLES, TABLE, World, call

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

# What the answer to these keeps is gone afterwards, replaces what was there, or is there once.
GROWS_NOTHING = {
    "complete_lesson",
    "delete_avatar",
    "delete_course",
    "delete_lesson",
    "delete_user",
    "end_session",
    "leave_course",
    "logout_everywhere",
    "reopen_lesson",
    "unsubscribe_from_course",
    "update_subscription",
}
CREATED = ["COURSES", "LESSONS", "PAYMENTS", "PICTURES", "PROFILE", "SUBSCRIPTIONS", "TEXT"]


def declares(name: str, status: int, code: str) -> bool:
    operation = OPERATIONS[name]
    responses = operation["responses"]
    return status in responses and code in codes_of(response_of(DOCUMENT, operation, status))


WRITING = {
    operation["operationId"]
    for _path, method, operation in operations_of(DOCUMENT)
    if method != "get" and operation["security"]
}
ASKING = {name for name in OPERATIONS if declares(name, 503, "payment_provider_busy")}
# Of each operation a call that somebody who is not of the staff may make.
ROWS = {
    row.operation: (row, role)
    for role in ("author", "stranger")
    for row in reversed(TABLE)
    if row.statuses.split()[ROLES.index(role)].startswith("2")
}


def use_up(settings: Any, *names: str) -> None:
    for name in names:
        setattr(settings, f"THROTTLE_{name}", "0/h")


def answer_in(name: str, api: Any, people: dict[str, User], settings: Any, *used: str) -> Any:
    row, role = ROWS[name]
    world = World(role, people)
    request = row.request(world)
    use_up(settings, *used)
    before = row.state(world) if row.state else None
    answer = call(api(people[role]), *request)
    if row.state and answer.status_code == 429:
        assert row.state(world) == before
    return answer


@pytest.fixture
def people(author: User, stranger: User, moderator: User) -> dict[str, User]:
    return {"author": author, "stranger": stranger, "moderator": moderator}


@pytest.mark.parametrize("name", sorted(WRITING))
def test_what_a_person_makes_grow_is_limited(name, api, people, settings):
    answer = answer_in(name, api, people, settings, *CREATED, "EXPORTS", "LOGIN", "RESET", "STATUS")
    assert answer.status_code == 429 or name in GROWS_NOTHING
    assert declares(name, 429, "throttled") is (name not in GROWS_NOTHING)


@pytest.mark.parametrize("name", sorted(ASKING))
def test_what_has_us_ask_stripe_is_limited(name, api, people, settings):
    assert answer_in(name, api, people, settings, "STATUS").status_code == 429


def test_what_asks_stripe_counts_together_and_for_each_person(api, author, learner, settings):
    settings.THROTTLE_STATUS = "3/min"
    paths = ["payments/1/status", "payments/1"]
    asked = [api(learner).get(paths[0]), api(learner).delete(paths[1])]
    asked += [api(learner).post("payments", {"course_id": 1, "method": "cash"})]
    assert [answer.status_code for answer in asked] == [404, 404, 404]
    for answer in (api(learner).get(paths[0]), api(learner).delete(paths[1])):
        assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
        assert 1 <= int(answer["Retry-After"]) <= 60
    assert api(author).get(paths[0]).status_code == 404


def test_so_many_are_created_in_an_hour(api, author, stranger, settings):
    settings.THROTTLE_COURSES = "2/h"
    settings.THROTTLE_LESSONS = "1/h"
    created = [api(author).post("courses", {"title": "Bread"}) for _time in range(3)]
    assert [answer.status_code for answer in created] == [201, 201, 429]
    assert 3500 < int(created[-1]["Retry-After"]) <= 3600
    assert Course.objects.count() == 2
    assert api(stranger).post("courses", {"title": "Bread"}).status_code == 201
    # What is invalid, or not allowed, is not created.
    new = {"course_id": Course.objects.filter(owner=author).latest("pk").pk, "title": "Flour"}
    assert api(author).post("lessons", new | {"title": ""}).status_code == 422
    assert api(stranger).post("lessons", new).status_code == 404
    assert [api(author).post("lessons", new).status_code for _time in range(2)] == [201, 429]


def test_a_text_counts_with_each_state_that_the_history_keeps(api, author, settings):
    settings.THROTTLE_TEXT = "30/h"
    long = "ж" * 5 * 1024  # 10 KiB
    created = api(author).post("courses", {"title": "Bread", "description": long})
    path = f"courses/{created.json()['id']}"
    renamed = [api(author).patch(path, {"title": title}) for title in ("Cake", "Pie", "Tart")]
    assert [answer.status_code for answer in renamed] == [200, 200, 429]
    assert Course.objects.get().title == "Pie"
    assert Course.history.count() == 3
    assert api(author).delete(path).status_code == 204


def test_the_smallest_edit_counts_as_one_kib(api, author, settings):
    settings.THROTTLE_TEXT = "2/h"
    lesson = LessonFactory.create(course=CourseFactory.create(owner=author))
    edits = [api(author).patch(f"lessons/{lesson.pk}", {"price": price}) for price in "123"]
    assert [answer.status_code for answer in edits] == [200, 200, 429]
    # What changes nothing keeps nothing.
    assert api(author).patch(f"lessons/{lesson.pk}", {"price": "2"}).status_code == 200


def test_the_order_of_lessons_counts_by_what_is_kept_of_it(api, author, settings):
    settings.THROTTLE_TEXT = "2/h"
    course = CourseFactory.create(owner=author)
    ids = [lesson.pk for lesson in LessonFactory.create_batch(300, course=course)]
    size = len(json.dumps(ids)) * 2
    assert size > 2048
    path = f"courses/{course.pk}/lessons/order"
    orders = (ids[::-1], ids)
    assert [api(author).put(path, {"lesson_ids": order}).status_code for order in orders] == [
        200,
        429,
    ]


def test_staff_may_create_more(api, administrator, moderator, author, settings):
    use_up(settings, *CREATED)
    assert api(administrator).post("courses", {"title": "Bread"}).status_code == 201
    course = CourseFactory.create(owner=author, published=True)
    assert api(moderator).patch(f"courses/{course.pk}", {"title": "Cake"}).status_code == 200
    assert api(moderator).upload(f"courses/{course.pk}/preview", PICTURE).status_code == 200
    assert api(moderator).post(f"courses/{course.pk}/subscription").status_code == 201
    # Also for others, in the admin: it is they who write.
    authoring.update_course(course=course, changes={"title": "Pie"}, by=moderator)
    with pytest.raises(Throttled):
        authoring.update_course(course=course, changes={"title": "Tart"}, by=author)


def test_without_a_cache_people_go_on_working(api, author, settings, monkeypatch):
    def down(*_arguments: object, **_options: object) -> None:
        raise RedisConnectionError

    use_up(settings, *CREATED, "STATUS")
    monkeypatch.setattr(cache, "get_or_set", down)
    assert api(author).post("courses", {"title": "Bread"}).status_code == 201
    assert api(author).get("payments/1/status").status_code == 404


@pytest.mark.parametrize("name", ["COURSES", "TEXT"])
def test_who_is_at_the_limit_is_not_told_for_others(api, settings, name):
    setattr(settings, f"THROTTLE_{name}", "1/h")
    first, other = UserFactory.create_batch(2)
    for person in (first, other):
        created = [api(person).post("courses", {"title": "Bread"}) for _time in range(2)]
        assert [answer.status_code for answer in created] == [201, 429]

"""A lesson that is not published: its author and moderators have it, as does who has a right to it
alone; for everybody else it is not there. Nothing is lost by that."""

from typing import Any

import pytest

from lms.models import Access, AccessSource, Completion, Course, Lesson
from lms.services import accesses
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment
from payments.services import staff
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(author):
    return CourseFactory.create(owner=author, published=True, title="Bread", price=100)


@pytest.fixture
def first(course):
    return LessonFactory.create(course=course, title="Flour", position=0)


@pytest.fixture
def draft(course, first):
    """Between two that are published."""
    LessonFactory.create(course=course, title="Salt", position=2)
    return LessonFactory.create(
        course=course, title="Knots", position=1, price=50, is_published=False, is_preview=True
    )


@pytest.fixture
def buyer(learner, course):
    """Of the whole course."""
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    return learner


@pytest.fixture
def holder(stranger, draft):
    """Of this lesson alone."""
    accesses.grant_access(user=stranger, target=draft, source=AccessSource.GRANT)
    return stranger


def titles(answer: Any) -> list[str]:
    return [lesson["title"] for lesson in answer.json()["lessons"]]


def progress(answer: Any) -> tuple[int, int, int]:
    found = answer.json()["progress"]
    return found["completed"], found["total"], found["percent"]


# --- Who has it -----------------------------------------------------------------------------------


def test_author_and_moderators_see_and_edit_it_as_ever(api, author, moderator, course, draft):
    for person in (author, moderator):
        read = api(person).get(f"courses/{course.pk}").json()
        assert read["lessons_count"] == 3
        assert [one["is_published"] for one in read["lessons"]] == [True, False, True]
        assert api(person).get("lessons").json()["count"] == 3
        changed = api(person).patch(f"lessons/{draft.pk}", {"description": "Overhand"})
        assert (changed.status_code, changed.json()["is_published"]) == (200, False)


def test_a_lesson_is_published_unless_its_author_says_otherwise(api, author, course):
    body = {"course_id": course.pk, "title": "New"}
    assert api(author).post("lessons", body).json()["is_published"] is True
    assert (
        api(author).post("lessons", body | {"is_published": False}).json()["is_published"] is False
    )
    refused = api(author).post("lessons", body | {"is_published": None})
    assert refused.status_code == 422


@pytest.mark.parametrize("name", ["learner", "buyer", "author", "moderator"])
def test_the_catalog_has_published_lessons_only(api, request, course, draft, name):
    person = request.getfixturevalue(name)
    shown = api(person).get(f"catalog/courses/{course.pk}")
    assert titles(shown) == ["Flour", "Salt"]
    assert shown.json()["lessons_count"] == 2
    [listed] = api(person).get("catalog/courses").json()["items"]
    assert listed["lessons_count"] == 2


@pytest.mark.parametrize("name", ["learner", "buyer"])
@pytest.mark.parametrize("is_published", [True, False])
def test_for_everybody_else_it_is_not_there(api, request, course, draft, name, is_published):
    """Though it is marked as a preview, and though they have the whole course."""
    person = request.getfixturevalue(name)
    Course.objects.update(is_published=is_published)
    client, path = api(person), f"learning/lessons/{draft.pk}"
    for answer in (
        client.get(path),
        client.put(f"{path}/completion"),
        client.delete(f"{path}/completion"),
        client.get(f"lessons/{draft.pk}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not Completion.objects.exists()


def test_who_has_the_course_learns_without_it(api, buyer, course, first, draft):
    client = api(buyer)
    outline = client.get(f"learning/courses/{course.pk}")
    assert titles(outline) == ["Flour", "Salt"]
    assert progress(outline) == (0, 2, 0)
    last = outline.json()["lessons"][1]["id"]
    assert client.get(f"learning/lessons/{first.pk}").json()["next_lesson_id"] == last
    assert client.get(f"learning/lessons/{last}").json()["previous_lesson_id"] == first.pk
    done = client.put(f"learning/lessons/{first.pk}/completion")
    assert done.json()["next_lesson_id"] == last
    done = client.put(f"learning/lessons/{last}/completion")
    assert (progress(done), done.json()["next_lesson_id"]) == ((2, 2, 100), None)
    [item] = client.get("learning/courses").json()["items"]
    assert item["progress"] == {"completed": 2, "total": 2, "percent": 100}


@pytest.mark.parametrize("is_published", [True, False])
def test_who_has_a_right_to_it_alone_keeps_it(api, holder, course, draft, is_published):
    Course.objects.update(is_published=is_published)
    client = api(holder)
    read = client.get(f"learning/lessons/{draft.pk}").json()
    assert (read["title"], read["is_published"]) == ("Knots", False)
    outline = client.get(f"learning/courses/{course.pk}")
    assert [
        (one["title"], one["is_published"], one["has_access"]) for one in outline.json()["lessons"]
    ] == [("Flour", True, False), ("Knots", False, True), ("Salt", True, False)]
    assert client.put(f"learning/lessons/{draft.pk}/completion").status_code == 200
    [item] = client.get("learning/courses").json()["items"]
    assert (item["lesson_id"], item["progress"]["percent"]) == (draft.pk, 100)


def test_a_right_to_another_lesson_is_none_to_it(api, stranger, course, first, draft):
    accesses.grant_access(user=stranger, target=first, source=AccessSource.GRANT)
    assert api(stranger).get(f"learning/lessons/{draft.pk}").status_code == 404
    assert titles(api(stranger).get(f"learning/courses/{course.pk}")) == ["Flour", "Salt"]


def test_a_right_to_it_that_was_taken_back_is_none(api, holder, draft):
    accesses.take_back(access=Access.objects.get(), reason="a mistake")
    assert api(holder).get(f"learning/lessons/{draft.pk}").status_code == 404


def test_author_and_moderators_see_it_marked_as_a_learner_would(
    api, author, moderator, course, first, draft
):
    for person in (author, moderator):
        outline = api(person).get(f"learning/courses/{course.pk}")
        assert [(one["title"], one["is_published"]) for one in outline.json()["lessons"]] == [
            ("Flour", True),
            ("Knots", False),
            ("Salt", True),
        ]
        assert progress(outline) == (0, 2, 0)
        read = api(person).get(f"learning/lessons/{draft.pk}").json()
        assert (read["is_published"], read["previous_lesson_id"]) == (False, first.pk)


def test_a_course_of_drafts_only_is_an_empty_course(api, learner, buyer, course):
    LessonFactory.create(course=course, is_published=False)
    shown = api(learner).get(f"catalog/courses/{course.pk}")
    assert (titles(shown), shown.json()["lessons_count"]) == ([], 0)
    outline = api(buyer).get(f"learning/courses/{course.pk}")
    assert (progress(outline), outline.json()["next_lesson_id"]) == ((0, 0, 0), None)


# --- Nothing is lost ------------------------------------------------------------------------------


def test_what_was_completed_comes_back_with_the_lesson(api, author, buyer, course, first):
    other = LessonFactory.create(course=course, position=1)
    for lesson in (first, other):
        api(buyer).put(f"learning/lessons/{lesson.pk}/completion")
    PaymentFactory.create(paid=True, course=course)
    before = [list(model.objects.values()) for model in (Completion, Access, Payment)]
    path = f"learning/courses/{course.pk}"
    api(author).patch(f"lessons/{other.pk}", {"is_published": False})
    assert progress(api(buyer).get(path)) == (1, 1, 100)
    api(author).patch(f"lessons/{other.pk}", {"is_published": True})
    assert progress(api(buyer).get(path)) == (2, 2, 100)
    assert [list(model.objects.values()) for model in (Completion, Access, Payment)] == before


def test_publication_is_kept_in_the_history_and_put_back(api, author, course, first):
    api(author).patch(f"lessons/{first.pk}", {"is_published": False})
    entry = api(author).get(f"courses/{course.pk}/history").json()["items"][0]
    assert entry["fields"] == [{"name": "is_published", "before": True, "after": False}]
    api(author).post(f"courses/{course.pk}/history/{entry['id']}/revert")
    assert Lesson.objects.get(pk=first.pk).is_published


# --- It is counted nowhere ------------------------------------------------------------------------


def test_the_author_s_figures_count_published_lessons(api, author, buyer, course, first, draft):
    last = Lesson.objects.get(title="Salt")
    for lesson in (first, last, draft):
        Completion.objects.create(user=buyer, lesson=lesson)
    [person] = api(author).get(f"courses/{course.pk}/people").json()["items"]
    assert person["progress"] == {"completed": 2, "total": 2, "percent": 100}
    counted: Any = Course.objects.with_completion().get()
    assert (counted.completions_count, counted.lessons_count) == (2, 2)
    figures = api(author).get(f"courses/{course.pk}/statistics").json()
    assert [(one["title"], one["completions"]) for one in figures["lessons"]] == [
        ("Flour", 1),
        ("Knots", 1),
        ("Salt", 1),
    ]


def test_the_staff_s_list_counts_all_lessons(client_of, administrator, draft):
    shown = client_of(administrator).get("/admin/lms/course/")
    [course] = shown.context["cl"].result_list
    assert course.lessons_count == 3


# --- It is not sold -------------------------------------------------------------------------------


def test_it_is_not_sold(api, learner, buyer, draft):
    order = {"lesson_id": draft.pk, "method": "cash"}
    for person in (learner, buyer, UserFactory.create()):
        assert api(person).post("payments", order).status_code == 404
    assert not Payment.objects.exists()
    Lesson.objects.update(is_published=True, is_preview=False)
    assert api(UserFactory.create()).post("payments", order).status_code == 201


def test_its_author_hears_why_they_can_t_buy_it(api, author, draft):
    answer = api(author).post("payments", {"lesson_id": draft.pk, "method": "cash"})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_paid")


def test_an_order_that_is_confirmed_after_it_was_unpublished_gives_the_lesson(
    api, author, learner, administrator, course, first
):
    payment = PaymentFactory.create(payer=learner, course=None, lesson=first, method="cash")
    api(author).patch(f"lessons/{first.pk}", {"is_published": False})
    assert api(learner).get(f"learning/lessons/{first.pk}").status_code == 404
    staff.confirm_payment(payment=payment, by=administrator, reason="It came")
    assert api(learner).get(f"learning/lessons/{first.pk}").status_code == 200

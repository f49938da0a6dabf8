"""What an author sees of the learners of a course, and how they put an edit back."""

from decimal import Decimal

import pytest

from lms.models import Access, AccessSource, Completion, Course
from lms.tests.factories import (
    CourseFactory,
    LessonFactory,
    SubscriptionFactory,
    course_with_lessons,
)
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(author):
    return course_with_lessons(["Flour", "Water"], owner=author, published=True, title="Bread")


@pytest.fixture
def learners(course, learner):
    """One has the course and has completed a lesson; one has a lesson only, and one is blocked."""
    flour, water = course.lessons.order_by("position")
    other, blocked = UserFactory.create(first_name="Olga"), UserFactory.create(is_active=False)
    grant = AccessSource.GRANT
    for person in (learner, blocked):
        Access.objects.create(user=person, course=course, source=grant)
        Completion.objects.create(user=person, lesson=flour)
    Access.objects.create(user=learner, lesson=water, source=AccessSource.ENROLLMENT)
    Access.objects.create(user=other, lesson=flour, source=grant)
    # No learner: a right to another course, and one that was taken back.
    Access.objects.create(user=UserFactory.create(), course=CourseFactory.create(), source=grant)
    Access.objects.create(
        user=UserFactory.create(), course=course, source=grant, revoked_at=course.created_at
    )
    Completion.objects.create(user=course.owner, lesson=water)
    return [learner, other]


def test_author_sees_who_learns_how_far_they_are_and_by_which_right(api, author, course, learners):
    people = api(author).get(f"courses/{course.pk}/people").json()
    learner, other = learners
    flour, water = course.lessons.order_by("position")
    assert people["count"] == 2
    first, second = people["items"]
    assert (first["id"], first["first_name"]) == (learner.pk, learner.first_name)
    assert first["progress"] == {"completed": 1, "total": 2, "percent": 50}
    rights = [(right["source"], right["lesson_id"]) for right in first["rights"]]
    assert rights == [("grant", None), ("enrollment", water.pk)]
    assert (second["id"], second["progress"]["completed"]) == (other.pk, 0)
    assert [right["lesson_id"] for right in second["rights"]] == [flour.pk]
    assert set(first) == {"id", "first_name", "progress", "rights"}


def test_a_page_of_people_costs_as_much_for_twenty_as_for_two(
    api, author, course, django_assert_num_queries
):
    for number in (2, 20):
        for person in UserFactory.create_batch(number):
            Access.objects.create(user=person, course=course, source=AccessSource.GRANT)
        # The caller, the course, its lessons, who is on the page, these people, their rights, and the
        # count where the page is full.
        with django_assert_num_queries(6 if number == 2 else 7):
            api(author).get(f"courses/{course.pk}/people")


def test_statistics_count_learners_completions_and_subscribers(api, author, course, learners):
    SubscriptionFactory.create(course=course)
    flour, water = course.lessons.order_by("position")
    figures = api(author).get(f"courses/{course.pk}/statistics").json()
    assert (figures["learners"], figures["subscribers"]) == (2, 1)
    assert figures["lessons"] == [
        {"lesson_id": flour.pk, "title": "Flour", "completions": 1},
        {"lesson_id": water.pk, "title": "Water", "completions": 0},
    ]


def test_author_and_administrators_see_payments_by_state_and_moderators_do_not(
    api, author, administrator, moderator, course
):
    PaymentFactory.create(course=course, amount=Decimal("100.50"), paid=True)
    PaymentFactory.create(course=course, amount=Decimal("20.00"), paid=True)
    PaymentFactory.create(course=course, amount=Decimal("5.00"), paid=True, currency="USD")
    PaymentFactory.create(
        course=None, lesson=course.lessons.first(), amount=Decimal("7.00"), currency="EUR"
    )
    # Its page at Stripe is not made yet.
    PaymentFactory.create(course=course, method="stripe")
    PaymentFactory.create(course=CourseFactory.create(), amount=Decimal("1000.00"))
    path = f"courses/{course.pk}/statistics"
    sums = api(author).get(path).json()["payments"]
    assert [
        tuple(one[name] for name in ("status", "count", "amount", "currency")) for one in sums
    ] == [
        ("paid", 2, "120.50", "RUB"),
        ("paid", 1, "5.00", "USD"),
        ("pending", 1, "7.00", "EUR"),
    ]
    assert api(administrator).get(path).json()["payments"] == sums
    assert api(moderator).get(path).json()["payments"] is None


def test_statistics_cost_the_same_for_every_course(api, author, django_assert_num_queries):
    for number in (2, 20):
        course = CourseFactory.create(owner=author)
        LessonFactory.create_batch(number, course=course)
        # The caller, the course, its lessons, learners, subscribers, lessons with completions, payments.
        with django_assert_num_queries(7):
            api(author).get(f"courses/{course.pk}/statistics")


@pytest.mark.parametrize("kind", ["course", "lesson"])
def test_author_puts_back_what_a_moderator_changed(api, author, moderator, course, kind):
    lesson = course.lessons.get(title="Flour")
    path = f"lessons/{lesson.pk}" if kind == "lesson" else f"courses/{course.pk}"
    api(moderator).patch(path, {"title": "Spoiled"})
    entry = api(author).get(f"courses/{course.pk}/history").json()["items"][0]
    assert entry["by"]["id"] == moderator.pk
    answer = api(author).post(f"courses/{course.pk}/history/{entry['id']}/revert")
    assert answer.status_code == 200
    assert answer["ETag"] == api(author).get(f"courses/{course.pk}")["ETag"]
    assert api(author).get(path).json()["title"] == ("Flour" if kind == "lesson" else "Bread")
    last = api(author).get(f"courses/{course.pk}/history").json()["items"][0]
    assert (last["by"]["id"], last["kind"]) == (author.pk, "changed")


def test_an_order_is_put_back(api, author, moderator, course):
    before = list(course.lessons.order_by("position").values_list("pk", flat=True))
    order = {"lesson_ids": before[::-1]}
    api(moderator).put(f"courses/{course.pk}/lessons/order", order)
    entry = api(author).get(f"courses/{course.pk}/history").json()["items"][0]
    api(author).post(f"courses/{course.pk}/history/{entry['id']}/revert")
    assert list(course.lessons.order_by("position").values_list("pk", flat=True)) == before


def test_what_was_created_or_deleted_and_what_is_not_there_is_not_put_back(api, author, course):
    client = api(author)
    client.delete(f"lessons/{course.lessons.get(title='Flour').pk}")
    for entry in client.get(f"courses/{course.pk}/history").json()["items"]:
        answer = client.post(f"courses/{course.pk}/history/{entry['id']}/revert")
        assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_put_back")
    other = Course.objects.get(pk=CourseFactory.create(owner=author).pk)
    foreign = f"course-{other.history.get().history_id}"
    lesson = LessonFactory.create(course=other, title="Rye")
    client.patch(f"lessons/{lesson.pk}", {"title": "Spelt"})
    of_lesson = f"lesson-{lesson.history.latest().history_id}"
    own = course.lessons.earliest("pk").history.latest().history_id
    created = str(course.history.get().history_id)
    assert client.post(f"courses/{course.pk}/history/course-{created}/revert").status_code == 409
    fullwidth = "".join(chr(ord("０") + int(digit)) for digit in created)
    for wrong in (
        f"course-{fullwidth}",
        f"course-+{created}",
        foreign,
        of_lesson,
        f"x-{own}",
        "course-999999",
        "x-1",
        "17",
        "lesson-x",
        f"course-{10**30}",
    ):
        answer = client.post(f"courses/{course.pk}/history/{wrong}/revert")
        assert answer.status_code == 404, wrong
    lesson.refresh_from_db()
    assert lesson.title == "Spelt"


def test_publishing_a_course_of_fifty_lessons_answers_with_less_than_100_kb(api, author):
    course = CourseFactory.create(owner=author)
    LessonFactory.create_batch(50, course=course, description="Flour and water. " * 1000)
    answer = api(author).patch(f"courses/{course.pk}", {"is_published": True})
    assert answer.json()["lessons_count"] == len(answer.json()["lessons"]) == 50
    assert len(answer.content) < 100_000

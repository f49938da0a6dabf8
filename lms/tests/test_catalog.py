"""What everyone signed in can find, and what stays hidden."""

import pytest

from lms.models import AccessSource
from lms.services import accesses
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

SECRET = "https://www.youtube.com/watch?v=SECRETSECRE"


def _ids(response):
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()["items"]]


def test_the_catalog_has_published_courses_only_whoever_looks(api, author, learner, moderator):
    published = CourseFactory.create(owner=author, published=True)
    CourseFactory.create(owner=author)
    for person in (author, learner, moderator):
        assert _ids(api(person).get("catalog/courses")) == [published.pk]


def test_a_course_of_the_catalog_shows_its_fields(api, author, learner):
    course = CourseFactory.create(owner=author, published=True, price="10.00")
    LessonFactory.create_batch(2, course=course)
    item = api(learner).get("catalog/courses").json()["items"][0]
    updated_at = item.pop("updated_at")
    assert updated_at
    assert item == {
        "id": course.pk,
        "title": course.title,
        "summary": course.summary,
        "preview": None,
        "price": "10.00",
        "currency": "RUB",
        "owner": {"id": author.pk, "first_name": "Anna"},
        "lessons_count": 2,
        "is_subscribed": False,
        "has_access": False,
    }


def test_the_outline_has_neither_videos_nor_texts(api, learner):
    lesson = LessonFactory.create(
        course__published=True, video_url=SECRET, description="Confidential", price="5.00"
    )
    response = api(learner).get(f"catalog/courses/{lesson.course_id}")
    assert response.json()["lessons"] == [
        {
            "id": lesson.pk,
            "title": lesson.title,
            "position": lesson.position,
            "price": "5.00",
            "has_access": False,
        }
    ]
    assert b"SECRET" not in response.content
    assert b"Confidential" not in response.content


def test_has_access_tells_the_right_of_the_caller(api, author, learner, moderator):
    lesson = LessonFactory.create(course__owner=author, course__published=True)
    other = LessonFactory.create(course=lesson.course)
    accesses.grant_access(user=learner, target=lesson, source=AccessSource.GRANT)

    def rights(person):
        read = api(person).get(f"catalog/courses/{lesson.course_id}").json()
        return read["has_access"], {item["id"]: item["has_access"] for item in read["lessons"]}

    assert rights(author) == (True, {lesson.pk: True, other.pk: True})
    assert rights(moderator) == (True, {lesson.pk: True, other.pk: True})
    assert rights(learner) == (False, {lesson.pk: True, other.pk: False})
    accesses.grant_access(user=learner, target=lesson.course, source=AccessSource.GRANT)
    assert rights(learner) == (True, {lesson.pk: True, other.pk: True})


@pytest.mark.parametrize(
    ("query", "expected"),
    [("free=true", ["free"]), ("free=false", ["sold"]), ("mine=true", ["sold"]), ("mine=false", 2)],
)
def test_the_catalog_is_filtered(api, learner, query, expected):
    CourseFactory.create(title="free", published=True, price=0)
    sold = CourseFactory.create(title="sold", published=True, price=5)
    accesses.grant_access(user=learner, target=sold, source=AccessSource.GRANT)
    items = api(learner).get(f"catalog/courses?{query}").json()["items"]
    titles = [item["title"] for item in items]
    assert (len(titles) if isinstance(expected, int) else titles) == expected


@pytest.mark.parametrize("path", ["catalog/courses/{}", "learning/lessons/{lesson}"])
def test_a_draft_is_absent_for_everyone_but_its_author_and_moderators(api, learner, path):
    lesson = LessonFactory.create(is_preview=True, title="Hidden")
    response = api(learner).get(path.format(lesson.course_id, lesson=lesson.pk))
    assert response.status_code == 404
    assert b"Hidden" not in response.content


def test_a_draft_is_found_through_no_search(api, learner):
    CourseFactory.create(title="Hidden")
    for query in ("search=Hidden", "ordering=title", "mine=true", "free=true"):
        assert _ids(api(learner).get(f"catalog/courses?{query}")) == []


@pytest.mark.parametrize("rows", [2, 20])
def test_the_catalog_needs_the_same_queries_for_any_number_of_rows(
    api, learner, rows, django_assert_num_queries
):
    for course in CourseFactory.create_batch(rows, published=True):
        LessonFactory.create_batch(2, course=course)
    client = api(learner)
    # The account; count; the page with its owners.
    with django_assert_num_queries(3):
        assert len(client.get(f"catalog/courses?page_size={rows}").json()["items"]) == rows


@pytest.mark.parametrize("path", ["catalog/courses", "subscriptions"])
def test_a_first_page_that_is_not_full_is_not_counted(
    api, learner, path, django_assert_num_queries
):
    for course in CourseFactory.create_batch(3, published=True):
        SubscriptionFactory.create(user=learner, course=course)
    client = api(learner)
    # The account; the page.
    with django_assert_num_queries(2):
        assert client.get(f"{path}?page_size=4").json()["count"] == 3


@pytest.mark.parametrize("path", ["catalog/courses", "subscriptions"])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_each_page_knows_the_number_of_all(api, learner, path, size, page):
    for course in CourseFactory.create_batch(3, published=True):
        SubscriptionFactory.create(user=learner, course=course)
    answer = api(learner).get(f"{path}?page={page}&page_size={size}").json()
    assert (answer["count"], answer["pages"]) == (3, -(-3 // size))
    assert len(answer["items"]) == max(0, min(size, 3 - size * (page - 1)))


@pytest.mark.parametrize("rows", [2, 20])
def test_a_course_of_the_catalog_needs_the_same_queries_for_any_number_of_lessons(
    api, learner, rows, django_assert_num_queries
):
    course = CourseFactory.create(published=True)
    LessonFactory.create_batch(rows, course=course)
    client = api(learner)
    # The account; the course with its owner; the outline.
    with django_assert_num_queries(3):
        assert len(client.get(f"catalog/courses/{course.pk}").json()["lessons"]) == rows

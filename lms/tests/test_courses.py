"""Courses in authoring, through the API."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from lms.models import Course
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

COURSE_FIELDS = {
    "id", "title", "summary", "description", "description_html", "preview", "price", "currency",
    "is_published", "owner", "lessons_count", "lessons", "is_subscribed", "abilities",
    "created_at", "updated_at",
}  # fmt: skip


def test_author_creates_a_course_and_reads_it_back(api, author):
    body = {"title": "  Bread at home ", "description": "Sourdough", "price": "1990.00"}
    created = api(author).post("courses", body)
    assert created.status_code == 201
    read = api(author).get(f"courses/{created.json()['id']}").json()
    assert read == created.json()
    assert set(read) == COURSE_FIELDS
    assert read["title"] == "Bread at home"
    assert (read["price"], read["currency"]) == ("1990.00", "RUB")
    assert read["owner"] == {"id": author.pk, "first_name": "Anna"}
    assert read["is_published"] is False
    abilities = {"update": True, "delete": True, "add_lesson": True, "copy": True}
    assert read["abilities"] == abilities


def test_a_course_is_free_and_a_draft_by_default(api, author):
    read = api(author).post("courses", {"title": "Bread"}).json()
    assert (read["price"], read["is_published"], read["description"]) == ("0.00", False, "")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("title", "", "string_too_short"),
        ("title", "   ", "string_too_short"),
        ("title", "x" * 201, "string_too_long"),
        ("title", None, "string_type"),
        ("title", 5, "string_type"),
        ("title", "a\x00b", "unstorable_text"),
        ("title", "\ud800", "string_unicode"),
        ("description", "x" * 20_001, "string_too_long"),
        ("description", "a\x00b", "unstorable_text"),
        ("price", "-0.01", "greater_than_equal"),
        ("price", "0.001", "decimal_max_places"),
        ("price", "12345678901.00", "decimal_whole_digits"),
        ("price", "1e400", "decimal_parsing"),
        ("price", "NaN", "finite_number"),
        ("price", "Infinity", "finite_number"),
        ("price", None, "decimal_type"),
        ("price", True, "decimal_type"),
        ("price", [], "decimal_type"),
        ("is_published", "perhaps", "bool_type"),
        ("owner", 1, "extra_forbidden"),
        ("titel", "x", "extra_forbidden"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(api, author, field, value, code):
    response = api(author).post("courses", {"title": "Bread"} | {field: value})
    assert response.status_code == 422, response.content
    problem = response.json()
    assert problem["code"] == "validation_error"
    assert [(error["loc"], error["code"]) for error in problem["errors"]] == [
        (["body", field], code)
    ]
    assert not Course.objects.exists()


def test_the_longest_and_greatest_values_are_kept(api, author):
    body = {"title": "x" * 200, "description": "y" * 20_000, "price": "999999.99"}
    assert api(author).post("courses", body).json().items() >= body.items()


def test_only_the_given_fields_change(api, author):
    course = CourseFactory.create(owner=author, title="Bread", price=Decimal("10.00"))
    response = api(author).patch(f"courses/{course.pk}", {"price": "12.50"})
    assert response.json()["price"] == "12.50"
    course.refresh_from_db()
    assert (course.title, course.price) == ("Bread", Decimal("12.50"))


def test_a_null_for_a_field_that_needs_a_value_is_refused(api, author):
    course = CourseFactory.create(owner=author)
    response = api(author).patch(f"courses/{course.pk}", {"title": None})
    assert response.status_code == 422


def test_a_change_that_changes_nothing_leaves_the_times_alone(api, author):
    course = CourseFactory.create(owner=author, title="Bread")
    api(author).patch(f"courses/{course.pk}", {"title": "Bread"})
    before = course.updated_at, course.materials_updated_at
    course.refresh_from_db()
    assert (course.updated_at, course.materials_updated_at) == before


@pytest.mark.parametrize(
    ("changes", "query", "is_update"),
    [
        ({"title": "New"}, "", True),
        ({"description": "New"}, "?notify=true", True),
        ({"title": "New"}, "?notify=false", False),
        ({"price": "5.00"}, "", False),
        ({"is_published": True}, "", False),
    ],
)
def test_a_change_of_materials_is_an_update_and_a_minor_edit_is_none(
    api, author, changes, query, is_update
):
    long_ago = timezone.now() - timedelta(days=1)
    course = CourseFactory.create(owner=author, materials_updated_at=long_ago)
    assert api(author).patch(f"courses/{course.pk}{query}", changes).status_code == 200
    course.refresh_from_db()
    assert (course.materials_updated_at != long_ago) is is_update


def test_authors_see_own_courses_only_and_moderators_all(api, author, stranger, moderator):
    own, foreign = CourseFactory.create(owner=author), CourseFactory.create(published=True)
    assert _ids(api(author).get("courses")) == [own.pk]
    assert _ids(api(stranger).get("courses")) == []
    assert set(_ids(api(moderator).get("courses"))) == {own.pk, foreign.pk}


def test_a_course_that_one_does_not_own_is_absent(api, author):
    foreign = CourseFactory.create(published=True)
    assert api(author).get(f"courses/{foreign.pk}").status_code == 404
    assert api(author).patch(f"courses/{foreign.pk}", {"title": "x"}).status_code == 404
    assert api(author).delete(f"courses/{foreign.pk}").status_code == 404


def test_the_response_carries_the_lessons_in_order_and_their_number(api, author):
    course = CourseFactory.create(owner=author)
    last = LessonFactory.create(course=course, position=7)
    first = LessonFactory.create(course=course, position=1)
    second = LessonFactory.create(course=course, position=2)
    read = api(author).get(f"courses/{course.pk}").json()
    assert read["lessons_count"] == 3
    assert [lesson["id"] for lesson in read["lessons"]] == [first.pk, second.pk, last.pk]
    changed = api(author).patch(f"courses/{course.pk}", {"price": "1.00"}).json()
    assert changed["lessons"] == read["lessons"]


def test_is_subscribed_is_about_the_caller(api, author, moderator):
    course = CourseFactory.create(owner=author)
    SubscriptionFactory.create(course=course, user=moderator)
    assert api(author).get(f"courses/{course.pk}").json()["is_subscribed"] is False
    assert api(moderator).get(f"courses/{course.pk}").json()["is_subscribed"] is True


@pytest.mark.parametrize("search", ["хлеб", "ХЛЕБ", "заквас", "BREAD"])
def test_search_finds_text_in_title_and_description_in_any_letter_case(api, author, search):
    wanted = CourseFactory.create(owner=author, title="Хлеб (bread)", description="На закваске")
    CourseFactory.create(owner=author, title="Сыр")
    assert _ids(api(author).get(f"courses?search={search}")) == [wanted.pk]


@pytest.mark.parametrize("search", ["%", "_", ".*", "(", "\\", "'"])
def test_search_takes_no_character_for_a_pattern(api, author, search):
    CourseFactory.create(owner=author, title="Bread", description="")
    response = api(author).get("courses", data={"search": search})
    assert (response.status_code, response.json()["count"]) == (200, 0)


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("title", ["a", "b", "c"]),
        ("-title", ["c", "b", "a"]),
        ("price", ["c", "a", "b"]),
        ("-price", ["b", "a", "c"]),
        ("created_at", ["b", "c", "a"]),
        ("-created_at", ["a", "c", "b"]),
        ("", ["b", "a", "c"]),
        ("updated_at", ["c", "a", "b"]),
        ("-updated_at", ["b", "a", "c"]),
    ],
)
def test_courses_are_ordered_as_asked(api, author, ordering, expected):
    now = timezone.now()
    for title, price, created, updated in (("a", 2, 3, 2), ("b", 3, 1, 3), ("c", 1, 2, 1)):
        CourseFactory.create(
            owner=author,
            title=title,
            price=price,
            created_at=now + timedelta(hours=created),
            updated_at=now + timedelta(hours=updated),
        )
    query = {"ordering": ordering} if ordering else {}
    response = api(author).get("courses", data=query)
    assert [course["title"] for course in response.json()["items"]] == expected


@pytest.mark.parametrize("ordering", ["owner", "id", "--title", "title,price", "?"])
def test_an_unknown_ordering_is_refused(api, author, ordering):
    response = api(author).get("courses", data={"ordering": ordering})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", "ordering"]


@pytest.mark.parametrize("field", ["title", "price", "created_at", "updated_at"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_equal_values_are_ordered_by_id_so_that_pages_do_not_overlap(api, author, field, sign):
    now = timezone.now()
    same = {"title": "Same", "updated_at": now, "created_at": now}
    courses = CourseFactory.create_batch(5, owner=author, **same)
    seen = [
        identifier
        for page in (1, 2, 3)
        for identifier in _ids(
            api(author).get(f"courses?ordering={sign}{field}&page={page}&page_size=2")
        )
    ]
    assert seen == [course.pk for course in (reversed(courses) if sign else courses)]


@pytest.mark.parametrize("rows", [2, 20])
def test_the_list_needs_the_same_queries_for_any_number_of_rows(
    api, author, rows, django_assert_num_queries
):
    for course in CourseFactory.create_batch(rows, owner=author):
        LessonFactory.create_batch(rows, course=course)
    client = api(author)
    # The account; count; the page with owners; its lessons.
    with django_assert_num_queries(4):
        assert len(client.get(f"courses?page_size={rows}").json()["items"]) == rows


@pytest.mark.parametrize("rows", [2, 20])
def test_a_course_needs_the_same_queries_for_any_number_of_lessons(
    api, author, rows, django_assert_num_queries
):
    course = CourseFactory.create(owner=author)
    LessonFactory.create_batch(rows, course=course)
    client = api(author)
    # The account; the course with its owner; its lessons.
    with django_assert_num_queries(3):
        assert client.get(f"courses/{course.pk}").json()["lessons_count"] == rows


@pytest.mark.parametrize("rows", [2, 20])
def test_a_change_needs_the_same_queries_for_any_number_of_lessons(
    api, author, rows, django_assert_num_queries
):
    course = CourseFactory.create(owner=author)
    LessonFactory.create_batch(rows, course=course)
    client = api(author)
    # The account; the course, which the caller may change; the transaction (2); the course read and
    # written (2), and its history; the course with its owner, and its lessons, for the answer (2).
    with django_assert_num_queries(9):
        changed = client.patch(f"courses/{course.pk}", {"price": "1.00"}).json()
    assert len(changed["lessons"]) == rows


def test_deleting_a_course_takes_its_lessons_along(api, author):
    course = LessonFactory.create(course__owner=author).course
    assert api(author).delete(f"courses/{course.pk}").status_code == 204
    assert not Course.objects.filter(pk=course.pk).exists()


def _ids(response):
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()["items"]]

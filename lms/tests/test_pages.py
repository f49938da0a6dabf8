"""Pages of a list, the same for every list."""

import pytest

from lms.models import Course, Subscription
from lms.tests.factories import CourseFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"count": 12, "page": 1, "page_size": 10, "pages": 2, "items": 10}),
        ("?page=2", {"count": 12, "page": 2, "page_size": 10, "pages": 2, "items": 2}),
        ("?page=3", {"count": 12, "page": 3, "page_size": 10, "pages": 2, "items": 0}),
        ("?page_size=5", {"count": 12, "page": 1, "page_size": 5, "pages": 3, "items": 5}),
        ("?page_size=6&page=2", {"count": 12, "page": 2, "page_size": 6, "pages": 2, "items": 6}),
        ("?page_size=13", {"count": 12, "page": 1, "page_size": 13, "pages": 1, "items": 12}),
        ("?page_size=100", {"count": 12, "page": 1, "page_size": 100, "pages": 1, "items": 12}),
        ("?page_size=101", {"count": 12, "page": 1, "page_size": 100, "pages": 1, "items": 12}),
        (
            "?page=1000000000&page_size=1000000000",
            {"count": 12, "page": 10**9, "page_size": 100, "pages": 1, "items": 0},
        ),
    ],
)
@pytest.mark.parametrize("path", ["courses", "subscriptions"])
def test_a_page_says_where_it_stands(api, author, path, query, expected):
    """Of the lists that are read without model objects, and of those that schemas write."""
    courses = Course.objects.bulk_create(
        CourseFactory.build(owner=author, is_published=True) for _number in range(12)
    )
    Subscription.objects.bulk_create(Subscription(user=author, course=course) for course in courses)
    body = api(author).get(f"{path}{query}").json()
    assert body | {"items": len(body["items"])} == expected


def test_no_items_are_no_pages(api, author):
    body = api(author).get("courses").json()
    assert body == {"items": [], "count": 0, "page": 1, "page_size": 10, "pages": 0}


@pytest.mark.parametrize(
    "query",
    [
        *["page=0", "page=x", "page=-1", "page=", f"page={10**9 + 1}", f"page={10**30}"],
        *["page_size=0", f"page_size={10**9 + 1}"],
    ],
)
def test_a_page_that_is_no_number_from_one_is_refused(api, author, query):
    response = api(author).get(f"courses?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", query.split("=")[0]]

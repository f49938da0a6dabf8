"""Pages of a list, the same for every list."""

import pytest

from lms.tests.factories import CourseFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"count": 12, "page": 1, "page_size": 10, "pages": 2, "items": 10}),
        ("?page=2", {"count": 12, "page": 2, "page_size": 10, "pages": 2, "items": 2}),
        ("?page=3", {"count": 12, "page": 3, "page_size": 10, "pages": 2, "items": 0}),
        ("?page_size=5", {"count": 12, "page": 1, "page_size": 5, "pages": 3, "items": 5}),
        ("?page_size=101", {"count": 12, "page": 1, "page_size": 100, "pages": 1, "items": 12}),
        (
            "?page=999999999",
            {"count": 12, "page": 999_999_999, "page_size": 10, "pages": 2, "items": 0},
        ),
    ],
)
def test_a_page_says_where_it_stands(api, author, query, expected):
    CourseFactory.create_batch(12, owner=author)
    body = api(author).get(f"courses{query}").json()
    assert body | {"items": len(body["items"])} == expected


def test_no_items_are_no_pages(api, author):
    body = api(author).get("courses").json()
    assert body == {"items": [], "count": 0, "page": 1, "page_size": 10, "pages": 0}


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "page=-1", "page=", "page_size=0", f"page={10**30}"]
)
def test_a_page_that_is_no_number_from_one_is_refused(api, author, query):
    response = api(author).get(f"courses?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", query.split("=")[0]]

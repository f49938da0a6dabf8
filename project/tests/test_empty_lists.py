"""A list of the admin that has no rows says what belongs there, and offers to make it."""

from typing import Any

import pytest

from lms.tests.factories import CourseFactory
from people.models import User
from project.admin_site.menu import MENU, admin_of

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

COURSES = "/admin/lms/course/"


def lists_seen_by(client: Any) -> list[tuple[str, Any]]:
    """Each list of the menu; some of its entries lead to a page that is none."""
    answers = [
        (label, client.get(admin_of(label).url("changelist")))
        for _title, models in MENU
        for label in models
    ]
    return [(label, answer) for label, answer in answers if "cl" in (answer.context or {})]


def test_each_empty_list_says_what_belongs_there(administrator: User, client_of: Any) -> None:
    lists = lists_seen_by(client_of(administrator))
    assert len(lists) > 10
    for label, answer in lists:
        sentence = str(admin_of(label).empty_text)
        assert sentence.endswith("."), label
        assert (sentence in answer.text) == (not answer.context["cl"].result_list), label


def test_whoever_may_make_it_is_offered_to(
    administrator: User, moderator: User, client_of: Any
) -> None:
    offer = f'href="{COURSES}add/"'
    assert client_of(administrator).get(COURSES).text.count(offer) == 2  # at the top, too
    page = client_of(moderator).get(COURSES).text
    assert "The school’s courses will appear here" in page
    assert offer not in page


@pytest.mark.parametrize("query", ["?q=flour", "?is_published__exact=1"])
def test_what_is_empty_by_search_or_filter_offers_to_show_everything(
    administrator: User, client_of: Any, query: str
) -> None:
    CourseFactory.create(title="Bread")
    page = client_of(administrator).get(COURSES + query).text
    assert "Nothing here matches the search and the filters." in page
    assert 'href="?"' in page
    assert "The school’s courses will appear here" not in page

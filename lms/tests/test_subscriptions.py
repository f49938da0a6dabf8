"""Subscriptions to course updates, through the API."""

import pytest

from lms.models import Subscription
from lms.tests.factories import CourseFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db


def test_subscribing_twice_makes_one_subscription(api, learner):
    course = CourseFactory.create(published=True)
    first = api(learner).post(f"courses/{course.pk}/subscription")
    second = api(learner).post(f"courses/{course.pk}/subscription")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == {"course_id": course.pk, "is_subscribed": True}
    assert Subscription.objects.count() == 1


def test_unsubscribing_is_idempotent_and_ends_no_other_subscription(api, learner):
    ended, kept = SubscriptionFactory.create_batch(2, user=learner)
    for _attempt in range(2):
        assert api(learner).delete(f"courses/{ended.course_id}/subscription").status_code == 204
    assert list(Subscription.objects.all()) == [kept]


def test_a_draft_is_open_to_its_author_and_moderators_only(api, author, learner, moderator):
    draft = CourseFactory.create(owner=author)
    path = f"courses/{draft.pk}/subscription"
    assert api(learner).post(path).status_code == 404
    assert api(author).post(path).status_code == 201
    assert api(moderator).post(path).status_code == 201


def test_one_person_does_not_end_the_subscription_of_another(api, learner, stranger):
    subscription = SubscriptionFactory.create(user=learner)
    api(stranger).delete(f"courses/{subscription.course_id}/subscription")
    assert Subscription.objects.filter(pk=subscription.pk).exists()


def test_own_subscriptions_are_listed_newest_first(api, learner):
    older = SubscriptionFactory.create(user=learner, course__published=True)
    newer = SubscriptionFactory.create(user=learner, course__published=True)
    SubscriptionFactory.create(course__published=True)
    items = api(learner).get("subscriptions").json()["items"]
    assert [item["course_id"] for item in items] == [newer.course_id, older.course_id]
    assert set(items[0]) == {"course_id", "title", "since", "course_mails"}


def test_the_title_of_a_course_that_became_a_draft_again_is_not_shown(api, learner):
    subscription = SubscriptionFactory.create(user=learner, course__published=True)
    subscription.course.is_published = False
    subscription.course.save()
    assert api(learner).get("subscriptions").json()["count"] == 0


@pytest.mark.parametrize("identifier", [0, 10**30])
def test_an_id_that_no_course_can_have_is_absent(api, learner, identifier):
    assert api(learner).post(f"courses/{identifier}/subscription").status_code == 404
    assert api(learner).delete(f"courses/{identifier}/subscription").status_code == 204


@pytest.mark.parametrize("rows", [2, 20])
def test_the_list_needs_the_same_queries_for_any_number_of_rows(
    api, learner, rows, django_assert_num_queries
):
    SubscriptionFactory.create_batch(rows, user=learner, course__published=True)
    client = api(learner)
    # The account; count; the page with its courses.
    with django_assert_num_queries(3):
        assert len(client.get(f"subscriptions?page_size={rows}").json()["items"]) == rows

"""Each figure and each chart of the dashboard leads to the list behind it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure

from lms.services import learning
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import DisputeFactory, FindingFactory, PaymentFactory
from people.tests.factories import UserFactory
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailingState, MailServer
from project.mail.services import send_to_one

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


@pytest.fixture
def school(moderators):
    """Something of each kind that is counted, and something that is not."""
    now = timezone.now()
    long_ago = now - timedelta(days=400)
    drowsy = now - timedelta(days=25)
    old = UserFactory.create(date_joined=long_ago, last_login=now)
    UserFactory.create(date_joined=long_ago, last_login=drowsy)
    UserFactory.create(blocked=True)
    course = CourseFactory.create(owner=old, published=True)
    CourseFactory.create(owner=old)
    LessonFactory.create(course=course)
    SubscriptionFactory.create(course=course, user=old)
    of_old: dict[str, Any] = {"payer": old, "course": course}
    PaymentFactory.create(**of_old)
    PaymentFactory.create(**of_old, created_at=long_ago)
    PaymentFactory.create(**of_old, paid=True)
    PaymentFactory.create(**of_old, status="paid", paid_at=long_ago)
    for status in ("needs_response", "won"):
        DisputeFactory.create(payment__payer=old, payment__course=course, status=status)
    for kind in ("refund_failed", "paid_twice"):
        FindingFactory.create(kind=kind, reference="payment:1")
    Failure.objects.create(id="1" * 32, func="x.y", success=False, started=now, stopped=now)
    mailing = send_to_one("password_reset", old)
    Mailing.objects.create(kind="course_update", key="given up", state=MailingState.PARKED)
    MailServer.objects.create(pk=1, failures=1, failing_since=now - timedelta(hours=1))
    for finished_at in (now, now - timedelta(days=8)):
        Delivery.objects.create(
            mailing=mailing,
            recipient=UserFactory.create(blocked=True),
            status=DeliveryStatus.REFUSED,
            finished_at=finished_at,
        )


def links(text):
    """Addresses with parameters come from the content; the menu has none."""
    main = text[text.index('id="attention"') :]
    return {found.replace("&amp;", "&") for found in re.findall(r'href="(/admin/[^"]+)"', main)}


@pytest.mark.parametrize(("who", "number"), [("administrator", 28), ("moderator", 8)])
def test_each_link_leads_to_a_list_that_has_what_it_says(school, client_of, who, number, request):
    client = client_of(request.getfixturevalue(who))
    in_both = []
    for language in ("ru", "en"):
        client.post(reverse("set_language"), {"language": language})
        in_both.append(links(client.get(reverse("admin:index")).text))
    in_russian, found = in_both
    assert found == in_russian
    assert len(found) == number
    for address in found:
        response = client.get(address)
        assert response.status_code == 200, address
        if "?" not in address:
            continue
        shown = response.context["cl"]
        whole = client.get(address.partition("?")[0]).context["cl"]
        assert shown.has_active_filters, address
        assert 0 < shown.result_count < whole.result_count, address


@pytest.mark.parametrize(
    "title",
    [
        "Published courses",
        "Drafts",
        "Lessons",
        "Active people",
        "New people",
        "Blocked people",
    ],
)
def test_a_figure_is_the_length_of_its_list(school, client_of, administrator, title):
    client = client_of(administrator)
    panels = client.get(reverse("admin:index")).context["panels"]
    [figure] = [entry for panel in panels for entry in panel.figures if entry.title == title]
    assert client.get(figure.url).context["cl"].result_count == figure.value


def test_completion_is_the_share_of_lessons_that_learners_finished(client_of, moderator):
    course = CourseFactory.create(title="Bread", published=True)
    lessons = LessonFactory.create_batch(2, course=course)
    learners = UserFactory.create_batch(2)
    for learner in learners:
        SubscriptionFactory.create(course=course, user=learner)
        learning.enroll(user=learner, course=course)
        learning.complete_lesson(user=learner, lesson=lessons[0])
    learning.complete_lesson(user=learners[0], lesson=lessons[1])
    learning.complete_lesson(user=course.owner, lesson=lessons[0])  # who is no learner
    SubscriptionFactory.create(course__title="Without learners")
    _learning, content = client_of(moderator).get(reverse("admin:index")).context["panels"]
    [_followed, completion] = content.rankings
    assert (completion.title, completion.unit) == ("Completion", "%")
    assert [(rank.title, rank.number, rank.share) for rank in completion.ranks] == [
        ("Bread", 75, 75)
    ]

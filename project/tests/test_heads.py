"""The page of a row begins with what it is, in which state, and what this viewer may do."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from lms.models import AccessSource
from lms.models.updates import PendingUpdate
from lms.services import accesses, authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.models import StripeEvent
from payments.tests.factories import LedgerEntryFactory, PaymentFactory
from payments.tests.test_page import head_of, shown
from people.models import Role, User
from people.services import blocks
from people.services.invitations import invite
from people.tests.factories import RefusedAddressFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_a_person_s_says_what_support_asks_for_first(client_of, support, learner):
    PaymentFactory.create(payer=learner, amount=4900, paid=True)
    accesses.grant_access(user=learner, target=CourseFactory.create(), source=AccessSource.GRANT)
    PaymentFactory.create(payer=learner, amount=100)
    text = shown(client_of(support), learner)
    head = head_of(text)
    for words in (learner.email, "active", "₽4,900", "Last visit", "Joined", "Language"):
        assert words in head
    assert head.index("/write/") < head.index("/give-access/") < head.index("/password-reset/")
    assert "/erase/" not in text
    assert "/erase/" not in shown(client_of(support), support)


def test_a_person_s_says_what_is_wrong_with_the_account(client_of, administrator, learner):
    client = client_of(administrator)
    User.objects.filter(pk=learner.pk).update(
        email_confirmed_at=None,
        last_login=timezone.now() - settings.INACTIVITY_PERIOD + timedelta(days=2),
    )
    RefusedAddressFactory.create(
        recipient=learner, address=learner.email, stopped_at=timezone.now()
    )
    head = head_of(shown(client, learner))
    assert "email not confirmed" in head
    assert "mail does not arrive" in head
    assert "Will be blocked for inactivity on" in head
    blocks.block(user=learner, by=administrator)
    assert "Blocked since" in head_of(shown(client, learner))
    awaited = invite(email="new@parta.example", profile={}, roles=(), by=administrator)
    assert "valid until" in head_of(shown(client, awaited))


def test_a_person_s_leaves_out_what_the_viewer_may_not_know(client_of, support, learner):
    PaymentFactory.create(payer=learner, amount=4900, paid=True)
    support.user_permissions.set(
        support.user_permissions.filter(codename__in=["view_user", "change_user"])
    )
    head = head_of(shown(client_of(support), learner))
    assert "4,900" not in head
    assert "May learn" not in head
    assert "/give-access/" not in head


def test_a_course_s_counts_people_and_money_for_who_may_see_it(client_of, administrator, moderator):
    course = CourseFactory.create(published=True, price=4900)
    lesson = LessonFactory.create(course=course)
    SubscriptionFactory.create(course=course)
    PaymentFactory.create(course=course, amount=4900, paid=True)
    PaymentFactory.create(course=None, lesson=lesson, amount=100, paid=True)
    head = head_of(shown(client_of(administrator), course))
    for words in (course.title, "published", "₽5,000", "?list=subscribers", "/enrol/"):
        assert words in head
    head = head_of(shown(client_of(moderator), course))
    assert "5,000" not in head
    assert "/enrol/" not in head
    assert course.owner.email not in head


@pytest.mark.parametrize(
    ("course", "lesson", "said"),
    [
        ({"published": True}, {}, "Those who have access to the course"),
        ({"published": True}, {"is_preview": True}, "without having bought anything"),
        ({"published": True}, {"is_published": False}, "bought it on its own can learn it"),
        ({}, {}, "Its course is a draft"),
    ],
)
def test_a_lesson_s_says_who_may_learn_it(client_of, moderator, course, lesson, said):
    lesson = LessonFactory.create(course=CourseFactory.create(**course), **lesson)
    head = head_of(shown(client_of(moderator), lesson))
    assert said in head
    assert "1 of 1" in head


def test_other_pages_begin_with_one_and_fold_the_rest(client_of, administrator, moderators):
    client = client_of(administrator)
    entry = LedgerEntryFactory.create()
    event = StripeEvent.objects.create(
        event_id="evt_1", type="charge.updated", outcome="", happened_at=timezone.now()
    )
    access, _is_new = accesses.grant_access(
        user=UserFactory.create(),
        target=CourseFactory.create(title="Chess"),
        source=AccessSource.GRANT,
        given_by=administrator,
        reason="Won a prize",
    )
    for row, words in (
        (entry, entry.shown_amount),
        (event, "charge.updated"),
        (access, "Won a prize"),
    ):
        text = shown(client, row)
        assert words.replace("\N{NO-BREAK SPACE}", " ") in head_of(text)
        assert text.split("</section>", 1)[1].index("<details>") < text.index("readonly")
    assert "Can't create or delete courses" in head_of(shown(client, Role.objects.first())).replace(
        "&#x27;", "'"
    )


def test_a_pending_update_s_says_what_waits_and_for_whom(client_of, moderator):
    course = CourseFactory.create(published=True)
    SubscriptionFactory.create(course=course)
    authoring.update_course(course=course, changes={"title": "Renamed"}, by=moderator)
    waiting = PendingUpdate.objects.get(pk=course.pk)
    head = head_of(shown(client_of(moderator), waiting))
    assert "Renamed" in head
    assert "/send-now/" in head
    assert "Goes out" in head

"""Everybody is told of their own work, by their rights."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure

from lms.models import Access
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from payments.tests.factories import DisputeFactory, PaymentFactory
from people.models import Role
from people.tests.factories import UserFactory
from project.mail.models import Delivery, DeliveryStatus
from project.mail.services import send_to_one

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


@pytest.fixture
def school(moderators, author):
    """Something of each kind that waits for somebody."""
    now = timezone.now()
    PaymentFactory.create(payer=author, created_at=now - timedelta(days=40))
    PaymentFactory.create(payer=author, status="paid", paid_at=now - timedelta(days=2))
    PaymentFactory.create(payer=author, status="paid", paid_at=now - timedelta(days=70))
    DisputeFactory.create(payment__payer=author)
    Access.objects.all().delete()
    UserFactory.create(email_confirmed_at=None, date_joined=now - timedelta(days=3))
    UserFactory.create(email_confirmed_at=None, date_joined=now)
    Failure.objects.create(id="1" * 32, func="x.y", success=False, started=now, stopped=now)
    Delivery.objects.create(
        mailing=send_to_one("password_reset", author),
        recipient=UserFactory.create(),
        status=DeliveryStatus.REFUSED,
        finished_at=now,
    )


@pytest.fixture
def dashboard(client_of):
    def ask(role):
        user = UserFactory.create(is_staff=True)
        user.groups.add(Role.objects.get(name=role).pk)
        return client_of(user).get(reverse("admin:index")).context

    return ask


MONEY = {"payments", "hourglass_top", "key_off", "account_balance", "gavel"}


@pytest.mark.parametrize(
    ("role", "told", "panels"),
    [
        ("accountants", MONEY, ["Revenue"]),
        (
            "support",
            {"hourglass_top", "key_off", "mark_email_unread", "unsubscribe"},
            ["Revenue", "People"],
        ),
        ("moderators", set(), ["Learning", "Content"]),
        ("content editors", set(), ["Content"]),
    ],
)
def test_each_role_is_told_what_it_can_do_something_about(school, dashboard, role, told, panels):
    context = dashboard(role)
    assert {entry.icon for entry in context["attention"]} == told
    assert [panel.title for panel in context["panels"]] == panels
    assert [entry.is_danger for entry in context["attention"]] == sorted(
        (entry.is_danger for entry in context["attention"]), reverse=True
    )


def test_who_has_nothing_to_do_reads_what_was_looked_at(moderators, dashboard, client_of):
    assert dashboard("accountants")["looked_at"] == [
        "disputes",
        "findings",
        "payments",
        "accesses",
        "accounts",
    ]
    assert dashboard("moderators")["looked_at"] == []


def test_moderators_see_what_others_changed_in_the_last_week(moderator, client_of, author):
    old = CourseFactory.create(owner=author, title="Old")
    old.history.update(history_date=timezone.now() - timedelta(days=8))
    lesson = LessonFactory.create(course__owner=author, course__title="Bread", title="Flour")
    own = CourseFactory.create(owner=author, title="Mine")
    own.history.update(history_user=moderator)
    gone = CourseFactory.create(owner=author)
    gone.delete()
    authoring.update_lesson(lesson=lesson, changes={"title": "Rye flour"}, by=author)
    [news] = client_of(moderator).get(reverse("admin:index")).context["news"]
    assert (news.edited.course, news.edited.number, news.edited.last.title) == (
        lesson.course,
        3,
        "Rye flour",
    )
    assert client_of(moderator).get(news.put_back_url).status_code == 200


def test_nobody_else_is_shown_what_authors_changed(dashboard, moderators, author):
    CourseFactory.create(owner=author)
    for role in ("accountants", "support", "content editors"):
        assert dashboard(role)["news"] is None


def test_content_editors_see_figures_of_their_own_courses(client_of, moderators, author):
    CourseFactory.create(owner=author)
    editor = UserFactory.create(is_staff=True)
    editor.groups.add(Role.objects.get(name="content editors").pk)
    CourseFactory.create(owner=editor, published=True)
    [panel] = client_of(editor).get(reverse("admin:index")).context["panels"]
    assert {figure.title: figure.value for figure in panel.figures} == {
        "Published courses": 1,
        "Drafts": 0,
        "Lessons": 0,
        "Subscriptions": 0,
    }

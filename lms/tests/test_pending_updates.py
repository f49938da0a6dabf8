"""The page of what waits to be mailed: who sees it, what it says, and what staff do with it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone
from django.utils.html import strip_tags

from lms.models import Course, CourseChange, CourseUpdate
from lms.services import authoring, subscriptions, updates
from lms.tasks import send_daily_mail, tell_collected_updates
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from lms.tests.test_admin import messages_of, page
from people.models import BlockReason, CourseMails
from people.tests.factories import RefusedAddressFactory, UserFactory
from project.mail.models import Mailing
from project.mail.tasks import deliver_mail
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
QUIET = timedelta(hours=4)
LIST = "pendingupdate_changelist"


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def course(clock, author):
    """Just created, so that its changes are collected."""
    course = CourseFactory.create(owner=author, published=True, title="Bread")
    SubscriptionFactory.create(course=course, user__email="reader@school.example")
    CourseFactory.create(published=True, title="Quiet")
    return course


def rename(course, title, by=None):
    authoring.update_course(course=course, changes={"title": title}, by=by or course.owner)


def listed(client):
    return [row.title for row in client.get(page(LIST)).context["cl"].result_list]


def cells(client):
    """What the list says of its only row."""
    response = client.get(page(LIST))
    [row] = response.context["cl"].result_list
    admin = response.context["cl"].model_admin
    return {
        name: strip_tags(str(getattr(admin, name)(row)))
        for name in ("since", "by", "what_in_short", "number", "daily", "goes_out")
    }


def do(client, action, *courses):
    """Choose courses in the list, and confirm the question about them."""
    form = {"action": f"{action}_many", "_selected_action": [one.pk for one in courses]}
    asked = client.post(page(LIST), form)
    if asked.status_code == 200:
        client.post(page(LIST), form | {"confirm": "1"} | hidden(asked))


def hidden(asked):
    """What the page of a question sends along with the answer."""
    return {field.name: field.value() for field in asked.context["form"].hidden_fields()}


def test_the_list_has_courses_of_which_something_waits(client_of, moderator, course):
    client = client_of(moderator)
    assert listed(client) == []
    rename(course, "Rolls")
    LessonFactory.create(course=course)
    assert listed(client) == ["Rolls"]


def test_the_list_says_what_waits_since_when_by_whom_for_whom_and_until_when(
    client_of, moderator, course, clock
):
    rename(course, "Rolls")
    clock.shift(timedelta(hours=1))
    authoring.create_lesson(course=course, fields={"title": "Flour"}, by=moderator)
    told = cells(client_of(moderator))
    assert told["since"] == "Nov. 23, 2026, 12:00"
    assert told["goes_out"] == "Nov. 23, 2026, 17:00"
    assert told["number"] == "1"
    assert "Course renamed: Bread → " in told["what_in_short"]
    assert "Lesson added: Flour" in told["what_in_short"]
    owner = course.owner
    assert told["by"] == f"{owner.first_name} · {owner.pk}, {moderator.first_name} · {moderator.pk}"
    [row] = client_of(moderator).get(page(LIST)).context["cl"].result_list
    shown = client_of(moderator).get(page("pendingupdate_change", row.pk)).content.decode()
    assert "Course renamed: Bread → " in strip_tags(shown)
    assert page("course_change", course.pk) in shown


@pytest.mark.parametrize(
    ("make", "when"),
    [
        (lambda course: Course.objects.update(is_published=False), "not before the course is"),
        (lambda course: rename(course, "Bread"), "never: all of it was undone"),
        (lambda course: Course.objects.update(materials_updated_at=NOW - 2 * QUIET), "now"),
    ],
    ids=["draft", "undone", "due"],
)
def test_the_list_says_what_does_not_go_out_by_the_clock(client_of, moderator, course, make, when):
    rename(course, "Rolls")
    make(course)
    assert cells(client_of(moderator))["goes_out"].startswith(when)


def test_prices_wait_for_another_change(client_of, moderator, course, settings):
    settings.CURRENCY = "RUB"
    authoring.update_course(course=course, changes={"price": Decimal(5)}, by=course.owner)
    told = cells(client_of(moderator))
    assert told["goes_out"] == "with the next change"
    assert "Free → ₽5" in told["what_in_short"]
    do(client_of(moderator), "send_now", course)
    assert [one.kind for one in CourseUpdate.objects.get().changes.all()] == ["course_price"]


def test_the_number_is_of_those_who_really_get_the_mail(client_of, moderator, course, sink):
    blocked = UserFactory.create()
    blocked.block(BlockReason.STAFF)
    blocked.save()
    refused = RefusedAddressFactory.create(stopped_at=NOW).recipient
    unconfirmed = UserFactory.create(email_confirmed_at=None)
    for person in (blocked, refused, unconfirmed, course.owner, moderator):
        SubscriptionFactory.create(course=course, user=person)
    rename(course, "Rolls")  # by the owner, who hears nothing of it
    assert cells(client_of(moderator))["number"] == "2"
    authoring.update_course(course=course, changes={"description": "x"}, by=moderator)
    assert cells(client_of(moderator))["number"] == "3"
    do(client_of(moderator), "send_now", course)
    deliver_mail()
    assert set(sink.counts) == {"reader@school.example", course.owner.email, moderator.email}


def test_what_is_hastened_is_mailed_now_and_once(client_of, moderator, course, sink, clock):
    rename(course, "Rolls")
    address = page("pendingupdate_send_now", course.pk)
    client = client_of(moderator)
    asked = strip_tags(client.get(address).content.decode())
    assert "Course renamed: Bread → Rolls" in asked
    assert not Mailing.objects.exists()
    assert "Sent off: Rolls." in messages_of(client.post(address, follow=True))
    assert listed(client) == []
    clock.shift(QUIET * 2)
    tell_collected_updates()
    deliver_mail()
    assert sink.counts == {"reader@school.example": 1}
    # A second click is told that there is nothing left.
    again = client.post(address, follow=True)
    assert "No changes of this course wait any more" in messages_of(again)


def test_a_change_after_a_hastened_mail_is_collected(client_of, moderator, course, clock):
    rename(course, "Rolls")
    clock.shift(QUIET / 2)
    do(client_of(moderator), "send_now", course)
    clock.shift(QUIET / 2 + timedelta(minutes=1))
    rename(course, "Buns")
    assert CourseUpdate.objects.count() == 1
    assert course.changes.collected().count() == 1


def test_of_a_draft_nothing_is_hastened(client_of, moderator, course):
    rename(course, "Rolls")
    Course.objects.update(is_published=False)
    said = client_of(moderator).post(page("pendingupdate_send_now", course.pk), follow=True)
    assert "No changes of this course wait any more" in messages_of(said)
    assert course.changes.collected().count() == 1


def test_of_what_was_undone_nothing_is_hastened(client_of, moderator, course):
    rename(course, "Rolls")
    rename(course, "Bread")
    do(client_of(moderator), "send_now", course)
    assert not Mailing.objects.exists()
    assert course.changes.collected().count() == 2


@pytest.mark.parametrize("reason", ["", "a typo"])
def test_what_is_dropped_is_never_mailed_and_the_log_says_what_it_was(
    client_of, moderator, course, clock, reason
):
    rename(course, "Rolls")
    authoring.create_lesson(course=course, fields={"title": "Flour"}, by=course.owner)
    client = client_of(moderator)
    address = page("pendingupdate_drop", course.pk)
    seen = hidden(client.get(address))
    said = client.post(address, {"reason": reason} | seen, follow=True)
    assert "Dropped: Rolls." in messages_of(said)
    entry = LogEntry.objects.get()
    assert entry.user == moderator
    lines = "Course renamed: Bread → Rolls; Lesson added: Flour"
    what = ": ".join(filter(None, ["Drop", reason]))
    assert entry.get_change_message() == f"{what}; {lines}"
    assert lines in client.get(page("pendingupdate_history", course.pk)).content.decode()
    clock.shift(QUIET * 2)
    assert tell_collected_updates() == {"courses_told": 0}
    assert not Mailing.objects.exists()
    # The next change tells of itself alone.
    rename(course, "Buns")
    [change] = CourseUpdate.objects.get().changes.all()
    assert change.old_title == "Rolls"


def test_a_change_that_came_after_the_question_is_not_dropped(client_of, moderator, course):
    rename(course, "Rolls")
    address = page("pendingupdate_drop", course.pk)
    seen = hidden(client_of(moderator).get(address))
    authoring.create_lesson(course=course, fields={"title": "Flour"}, by=course.owner)
    client_of(moderator).post(address, seen)
    assert [change.kind for change in course.changes.collected()] == ["lesson_added"]
    client_of(moderator).post(address, {})
    assert course.changes.collected().count() == 1


def test_of_many_only_what_the_question_showed_of_each_is_dropped(
    client_of, moderator, course, author
):
    other = CourseFactory.create(owner=author, published=True)
    rename(course, "Rolls")
    authoring.create_lesson(course=course, fields={"title": "Flour"}, by=author)
    late = course.changes.get(kind="lesson_added")
    authoring.create_lesson(course=other, fields={"title": "Milk"}, by=author)
    # It has its number already, and is not committed yet.
    CourseChange.objects.filter(pk=late.pk).delete()
    form = {"action": "drop_many", "_selected_action": [course.pk, other.pk]}
    client = client_of(moderator)
    seen = hidden(client.post(page(LIST), form))
    late.save(force_insert=True)
    client.post(page(LIST), form | {"confirm": "1"} | seen)
    assert list(CourseChange.objects.collected()) == [late]


@pytest.mark.parametrize("up_to", ["", "7", "[1]", '{"1": "2"}', '{"1": true}', "{", "null"])
def test_what_no_page_said_drops_nothing(client_of, moderator, course, up_to):
    rename(course, "Rolls")
    asked = client_of(moderator).post(page("pendingupdate_drop", course.pk), {"up_to": up_to})
    assert asked.status_code == 200
    assert course.changes.collected().exists()


@pytest.fixture
def daily(course):
    person = UserFactory.create(email="daily@school.example", course_mails=CourseMails.DAILY)
    subscriptions.subscribe(user=person, course=course)
    return person


def test_what_is_dropped_is_in_no_daily_mail_either(client_of, moderator, course, daily, clock):
    rename(course, "Rolls")
    told = cells(client_of(moderator))
    assert (told["number"], told["daily"]) == ("1", "1")
    do(client_of(moderator), "drop", course)
    clock.shift(timedelta(days=1))
    send_daily_mail()
    assert not Mailing.objects.exists()


def test_what_was_undone_is_still_told_to_who_read_of_it_in_a_daily_mail(
    course, daily, clock, sink
):
    """Nobody else heard of it."""
    rename(course, "Rolls")
    send_daily_mail()
    deliver_mail()
    rename(course, "Bread")
    clock.shift(timedelta(days=1))
    tell_collected_updates()
    send_daily_mail()
    deliver_mail()
    assert sink.counts == {daily.email: 2}
    first, second = (
        message.get_body(["plain"]).get_content() for message in sink.messages(daily.email)
    )
    assert "Course renamed: Bread → Rolls" in first
    assert "Course renamed: Rolls → Bread" in second


def test_who_left_the_daily_mail_after_it_told_the_beginning_is_not_counted_at_once(
    client_of, moderator, course, daily, clock, sink
):
    rename(course, "Rolls")
    send_daily_mail()
    subscriptions.choose_for_all(user=daily, how=CourseMails.AT_ONCE)
    authoring.create_lesson(course=course, fields={"title": "Flour"}, by=course.owner)
    told = cells(client_of(moderator))
    assert (told["number"], told["daily"]) == ("1", "1")
    clock.shift(timedelta(days=1))
    tell_collected_updates()
    send_daily_mail()
    deliver_mail()
    assert sink.counts == {"reader@school.example": 1, daily.email: 2}


def test_many_are_dropped_at_once_and_others_stay(client_of, moderator, course, author):
    other, third = CourseFactory.create_batch(2, owner=author, published=True)
    for one in (course, other, third):
        rename(one, f"New {one.title}")
    do(client_of(moderator), "drop", course, other)
    assert set(CourseChange.objects.values_list("course", flat=True)) == {third.pk}
    assert LogEntry.objects.count() == 2


def test_support_and_other_authors_see_and_do_nothing(client_of, support, author, stranger, course):
    rename(course, "Rolls")
    for action in ("send_now", "drop"):
        assert (
            client_of(support).post(page(f"pendingupdate_{action}", course.pk)).status_code == 403
        )
    assert client_of(support).get(page(LIST)).status_code == 403
    give_pages_of_courses(stranger)
    assert listed(client_of(stranger)) == []
    for action in ("send_now", "drop"):
        answer = client_of(stranger).post(page(f"pendingupdate_{action}", course.pk))
        assert answer.status_code in {403, 404}
        do(client_of(stranger), action, course)
    assert course.changes.collected().count() == 1


def test_an_author_of_the_staff_sees_own_courses(client_of, author, course):
    rename(course, "Rolls")
    other = CourseFactory.create(published=True)
    rename(other, "Milk")
    give_pages_of_courses(author)
    assert listed(client_of(author)) == ["Rolls"]
    do(client_of(author), "drop", course)
    assert not course.changes.exists()


def give_pages_of_courses(person):
    person.is_staff = True
    person.save(update_fields=["is_staff"])
    person.user_permissions.add(Permission.objects.get(codename="change_course"))


@pytest.mark.parametrize("number", [2, 20])
def test_the_list_needs_the_same_queries_for_any_number_of_courses(
    client_of, moderator, course, author, number, django_assert_max_num_queries
):
    for one in CourseFactory.create_batch(number, owner=author, published=True):
        SubscriptionFactory.create(course=one)
        rename(one, "New")
    client = client_of(moderator)
    listed(client)
    with django_assert_max_num_queries(25):
        assert len(listed(client)) == number


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", ["worker", "drop", "hasten"])
def test_who_hastens_at_the_same_moment_as_others_sends_no_second_mail(author, other):
    course = CourseFactory.create(owner=author, published=True)
    rename(course, "Rolls")
    Course.objects.update(materials_updated_at=timezone.now() - 2 * QUIET)
    acts: dict[str, Callable[[], Any]] = {
        "worker": updates.tell_collected,
        "drop": partial(updates.drop, course, up_to=2**63 - 1),
    }
    hasten = partial(updates.hasten, course)
    at_once(
        hasten,
        acts.get(other, hasten),
        before_writing=CourseChange if other == "drop" else CourseUpdate,
        refused=(updates.NothingWaits,),
    )
    assert Mailing.objects.count() == CourseUpdate.objects.count() <= 1
    assert not CourseChange.objects.filter(update=None).exists()
    assert Mailing.objects.exists() or other == "drop"

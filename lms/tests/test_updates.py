"""When subscribers hear of a change, and what: the rule of the quiet period, with a set clock."""

from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import call_command
from django.core.signing import Signer
from django.utils import timezone

from lms.models import ChangeKind, Course, CourseChange, CourseUpdate, Subscription
from lms.services import authoring, forecasts, subscriptions
from lms.tasks import tell_collected_updates
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from people.models import BlockReason, User
from people.tests.factories import UserFactory
from project.mail.models import Delivery, Mailing
from project.mail.recipients import list_one_step
from project.mail.tasks import deliver_mail
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
QUIET = timedelta(hours=4)
MOMENT = timedelta(microseconds=1)
LONG_AGO = START - timedelta(days=30)


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def course(clock, author):
    """Published and quiet for long, with one subscriber; beside it another one like it."""
    create(author, "Cheese", "neighbour@school.example")
    return create(author, "Bread", "reader@school.example")


@pytest.fixture
def neighbour(course):
    return Course.objects.get(title="Cheese")


def create(owner, title, subscriber):
    course = CourseFactory.create(
        owner=owner, published=True, title=title, materials_updated_at=LONG_AGO
    )
    SubscriptionFactory.create(course=course, user__email=subscriber)
    return course


def rename(course, title, **options):
    authoring.update_course(course=course, changes={"title": title}, by=course.owner, **options)


def collect():
    """What happens each minute."""
    tell_collected_updates()
    return Mailing.objects.count()


def kinds_of_mails():
    return [
        [change.kind for change in update.changes.order_by("id")]
        for update in CourseUpdate.objects.order_by("id")
    ]


def test_the_first_change_after_a_quiet_time_is_told_at_once(api, author, course, neighbour):
    api(author).patch(f"courses/{course.pk}", {"title": "Rolls"})
    update, mailing = CourseUpdate.objects.get(), Mailing.objects.get()
    assert (update.course, update.created_at) == (course, START)
    assert (mailing.kind, mailing.subject_id, mailing.title) == (
        "course_update", update.pk, "Rolls",
    )  # fmt: skip
    change = update.changes.get()
    assert (change.course, change.kind) == (course, ChangeKind.COURSE_RENAMED)
    assert (change.changed_by, change.changed_at) == (author, START)
    assert (change.lesson_id, change.lesson_title) == (None, "")
    course.refresh_from_db()
    neighbour.refresh_from_db()
    assert (course.materials_updated_at, neighbour.materials_updated_at) == (START, LONG_AGO)


def test_what_is_not_told_sends_nothing_however_quiet_the_course_was(author, course):
    rename(course, "Rolls", notify=False)
    authoring.update_course(course=course, changes={"price": 5}, by=author)
    assert not CourseUpdate.objects.exists()
    assert not Mailing.objects.exists()
    course.refresh_from_db()
    assert (course.title, course.materials_updated_at) == ("Rolls", LONG_AGO)


def test_a_change_of_a_lesson_is_kept_with_its_title_at_that_time(moderator, course):
    lesson = LessonFactory.create(course=course, title="Flour")
    authoring.delete_lesson(lesson=lesson, by=moderator)
    change = CourseChange.objects.get()
    assert (change.lesson_id, change.lesson_title) == (lesson.pk, "Flour")
    assert (change.kind, change.changed_by) == (ChangeKind.LESSON_REMOVED, moderator)


def test_a_change_is_called_by_its_lesson_or_else_by_its_course(course, clock):
    lesson = LessonFactory.create(course=course, title="Flour")
    authoring.delete_lesson(lesson=lesson, by=course.owner)
    rename(course, "Rolls")
    names = [str(change) for change in CourseChange.objects.order_by("id")]
    assert names == ["lesson removed: Flour", "course renamed: Rolls"]


def test_exactly_four_hours_are_not_more_than_four_hours(clock, course):
    Course.objects.update(materials_updated_at=START - QUIET)
    rename(course, "Rolls")
    assert kinds_of_mails() == []
    Course.objects.update(materials_updated_at=START - QUIET - MOMENT)
    rename(course, "Buns")
    assert kinds_of_mails() == [[ChangeKind.COURSE_RENAMED] * 2]


@pytest.mark.parametrize(
    ("last_mail", "told"),
    [(-QUIET - MOMENT, True), (-QUIET, False), (timedelta(), False), (MOMENT, True)],
)
def test_a_mail_within_four_hours_before_is_the_last_one_for_now(course, last_mail, told):
    """Of a mail in the future, by a clock that ran ahead, nobody can say when it was."""
    CourseUpdate.objects.create(course=course, created_at=START + last_mail)
    rename(course, "Rolls")
    assert CourseChange.objects.filter(update__created_at=START).exists() is told
    assert CourseChange.objects.filter(update=None).exists() is not told


def test_what_is_told_of_one_course_is_no_matter_of_another(clock, course, neighbour):
    rename(neighbour, "Butter")
    rename(neighbour, "Milk")  # is collected
    rename(course, "Rolls")
    assert kinds_of_mails() == [[ChangeKind.COURSE_RENAMED]] * 2
    assert CourseChange.objects.filter(update=None).get().course == neighbour
    # When it goes out, what waits of the other course stays.
    clock.shift(timedelta(hours=1))
    rename(course, "Buns")
    clock.shift(QUIET - timedelta(hours=1) + MOMENT)
    assert tell_collected_updates() == {"courses_told": 1}
    assert CourseChange.objects.filter(update=None).get().course == course
    assert tell_collected_updates() == {"courses_told": 0}


def test_collected_changes_go_out_when_it_has_been_quiet_for_more_than_four_hours(clock, course):
    rename(course, "Rolls")
    clock.shift(timedelta(hours=3))
    rename(course, "Buns")
    clock.shift(timedelta(hours=3))
    lesson = LessonFactory.create(course=course)
    authoring.update_lesson(lesson=lesson, changes={"video_url": ""}, by=course.owner)
    clock.shift(QUIET)
    assert collect() == 1
    clock.shift(MOMENT)
    assert collect() == 2
    assert collect() == 2
    assert kinds_of_mails() == [
        [ChangeKind.COURSE_RENAMED],
        [ChangeKind.COURSE_RENAMED, ChangeKind.VIDEO_REPLACED],
    ]


def test_a_change_just_after_the_collected_mail_waits_for_the_next_one(clock, course):
    """It is quiet by the changes, but a second mail would come a minute after the first."""
    rename(course, "Rolls")
    clock.shift(timedelta(hours=1))
    rename(course, "Buns")
    clock.shift(QUIET + MOMENT)
    assert collect() == 2
    clock.shift(timedelta(minutes=1))
    rename(course, "Cakes")
    assert collect() == 2
    clock.shift(QUIET + MOMENT)
    assert collect() == 3


def test_a_change_takes_along_what_was_collected_and_not_sent_yet(clock, course):
    """The worker stood still when the collected changes became due."""
    rename(course, "Rolls")
    clock.shift(timedelta(hours=1))
    rename(course, "Buns")
    clock.shift(timedelta(hours=5))
    rename(course, "Cakes")
    assert collect() == 2
    assert kinds_of_mails() == [[ChangeKind.COURSE_RENAMED], [ChangeKind.COURSE_RENAMED] * 2]


def test_creating_a_course_is_its_first_update(clock, author):
    course = authoring.create_course(owner=author, fields={"title": "Bread", "is_published": True})
    clock.shift(QUIET)
    rename(course, "Rolls")
    assert collect() == 0
    clock.shift(QUIET + MOMENT)
    assert collect() == 1


def test_changes_of_the_course_and_of_its_lessons_count_together(clock, api, author, course):
    lesson = LessonFactory.create(course=course)
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Flour"})
    api(author).patch(f"courses/{course.pk}", {"description": "New"})
    api(author).post("lessons", {"course_id": course.pk, "title": "Water"})
    api(author).delete(f"lessons/{lesson.pk}")
    clock.shift(QUIET + MOMENT)
    assert collect() == 2
    assert kinds_of_mails() == [
        [ChangeKind.LESSON_RENAMED],
        [ChangeKind.COURSE_TEXT, ChangeKind.LESSON_ADDED, ChangeKind.LESSON_REMOVED],
    ]


def test_a_lesson_that_moves_is_new_in_one_course_and_gone_from_the_other(course, author):
    target = CourseFactory.create(
        owner=author, published=True, materials_updated_at=START - timedelta(days=1)
    )
    lesson = LessonFactory.create(course=course)
    authoring.update_lesson(lesson=lesson, changes={"course": target}, by=author)
    changes = CourseChange.objects.values_list("course_id", "kind")
    assert set(changes) == {
        (course.pk, ChangeKind.LESSON_REMOVED),
        (target.pk, ChangeKind.LESSON_ADDED),
    }


def test_what_sends_no_mail(clock, api, author, course):
    lesson = LessonFactory.create(course=course, title="Flour")
    api(author).patch(f"courses/{course.pk}?notify=false", {"title": "Minor"})
    api(author).patch(f"lessons/{lesson.pk}?notify=false", {"title": "Minor"})
    api(author).patch(f"lessons/{lesson.pk}?notify=false", {"title": "Minor", "price": "7.00"})
    api(author).patch(f"courses/{course.pk}?notify=false", {"title": "Minor", "price": "3.00"})
    api(author).patch(f"courses/{course.pk}", {"title": "Minor", "price": "3.00"})
    call_command("loaddata", "fixtures/groups.json", verbosity=0)
    assert not CourseChange.objects.exists()
    assert {course.materials_updated_at for course in Course.objects.all()} == {LONG_AGO}


def test_a_price_waits_for_the_next_mail_and_neither_sends_one_nor_puts_it_off(
    clock, api, author, course, sink
):
    lesson = LessonFactory.create(course=course, title="Flour")
    api(author).patch(f"courses/{course.pk}", {"price": "5.00"})
    clock.shift(timedelta(hours=1))
    api(author).patch(f"lessons/{lesson.pk}", {"price": "7.00"})
    assert collect() == 0
    [forecast] = forecasts.of_collected([course])
    assert not forecast.is_sent
    clock.shift(QUIET + MOMENT)
    assert collect() == 0
    course.refresh_from_db()
    assert course.materials_updated_at == LONG_AGO
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Oats"})
    assert kinds_of_mails() == [
        [ChangeKind.COURSE_PRICE, ChangeKind.LESSON_PRICE, ChangeKind.LESSON_RENAMED]
    ]
    deliver_mail()
    [message] = sink.messages("reader@school.example")
    text = message.get_body(["plain"]).get_content()
    assert "- Price of the course changed: Free" in text
    assert "- Lesson renamed: Flour → Oats" in text


def test_a_price_that_is_changed_with_the_materials_is_part_of_the_update(api, author, course):
    api(author).patch(f"courses/{course.pk}", {"title": "Rolls", "price": "5.00"})
    assert kinds_of_mails() == [[ChangeKind.COURSE_RENAMED, ChangeKind.COURSE_PRICE]]


def test_collected_changes_that_were_undone_send_no_mail_and_are_forgotten(
    clock, course, neighbour
):
    rename(course, "Rolls")
    rename(course, "Buns")
    authoring.update_course(course=course, changes={"price": 5}, by=course.owner)
    rename(course, "Rolls")
    authoring.update_course(course=course, changes={"price": 0}, by=course.owner)
    clock.shift(QUIET + MOMENT)
    assert tell_collected_updates() == {"courses_told": 0}
    assert collect() == 1
    assert not CourseChange.objects.filter(update=None).exists()
    # It is as quiet as it was.
    rename(course, "Cakes")
    assert collect() == 2


def test_a_draft_sends_none_and_its_changes_start_the_quiet_period(clock, course):
    Course.objects.update(is_published=False)
    rename(course, "Rolls")
    Course.objects.update(is_published=True)
    clock.shift(QUIET + MOMENT)
    assert collect() == 0
    clock.shift(-QUIET)
    rename(course, "Buns")
    assert collect() == 0


def test_collected_changes_wait_while_the_course_is_unpublished(clock, course):
    rename(course, "Rolls")
    rename(course, "Buns")
    Course.objects.update(is_published=False)
    clock.shift(timedelta(days=1))
    assert collect() == 1
    Course.objects.update(is_published=True)
    assert collect() == 2


def test_a_deleted_course_sends_none(clock, course, sink):
    rename(course, "Rolls")
    authoring.delete_course(course=course, by=course.owner)
    deliver_mail()
    assert not sink.received
    assert not CourseChange.objects.exists()


@pytest.mark.parametrize("day", [datetime(2026, 3, 29), datetime(2026, 10, 25)])  # noqa: DTZ001
def test_a_change_to_summer_or_winter_time_neither_adds_nor_takes_an_hour(settings, day):
    """Four hours are four hours, also in a night that has one hour less or more."""
    settings.TIME_ZONE = "Europe/Berlin"
    evening = day.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    with time_machine.travel(evening, tick=False) as clock:
        course = CourseFactory.create(published=True)
        clock.shift(QUIET)
        rename(course, "Rolls")
        assert collect() == 0
        clock.shift(QUIET)
        assert collect() == 0
        clock.shift(MOMENT)
        assert collect() == 1


def test_a_clock_that_is_set_back_loses_no_change_and_adds_no_mail(clock, course):
    rename(course, "Rolls")
    clock.shift(-timedelta(hours=10))
    rename(course, "Buns")
    assert collect() == 1
    clock.shift(QUIET + MOMENT)
    assert collect() == 2


def test_a_clock_that_ran_years_ahead_does_not_silence_a_course(clock, course):
    clock.shift(timedelta(days=3650))
    rename(course, "Rolls")
    rename(course, "Buns")
    clock.shift(-timedelta(days=3650))
    assert collect() == 1
    clock.shift(QUIET + MOMENT)
    assert collect() == 2


@pytest.mark.parametrize(
    ("ahead", "silenced"), [(timedelta(minutes=1), True), (timedelta(minutes=1) + MOMENT, False)]
)
def test_a_minute_is_no_clock_that_ran_ahead(course, neighbour, ahead, silenced):
    """Clocks of two hosts differ; only of courses with something to tell the time is set right."""
    rename(neighbour, "Butter")  # told already, nothing waits
    rename(course, "Rolls")
    rename(course, "Buns")
    Course.objects.update(materials_updated_at=START + ahead)
    assert tell_collected_updates() == {"courses_told": 0}
    course.refresh_from_db()
    neighbour.refresh_from_db()
    assert course.materials_updated_at == (START + ahead if silenced else START)
    assert neighbour.materials_updated_at == START + ahead


def test_one_run_sends_off_so_many_courses_the_oldest_first(course, neighbour, monkeypatch):
    monkeypatch.setattr("lms.services.updates.COURSES_AT_ONCE", 2)
    newest = CourseFactory.create(published=True, materials_updated_at=LONG_AGO)
    for changed in (newest, course, neighbour):
        CourseChange.objects.create(course=changed, kind=ChangeKind.COURSE_TEXT)
    assert tell_collected_updates() == {"courses_told": 2}
    assert CourseChange.objects.filter(update=None).get().course == newest
    assert tell_collected_updates() == {"courses_told": 1}


def test_staff_are_told_when_waiting_changes_go_out(course, neighbour):
    rename(course, "Rolls")
    rename(neighbour, "Butter")
    rename(neighbour, "Milk")
    with time_machine.travel(START + timedelta(hours=1), tick=False):
        rename(course, "Buns")
    seen = forecasts.of_collected(Course.objects.order_by("title"))
    assert [(str(it.course), it.at, it.number) for it in seen] == [
        ("Buns", START + timedelta(hours=1) + QUIET, 1),
        ("Milk", START + QUIET, 1),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_changes_give_one_mail(author):
    long_ago = timezone.now() - timedelta(days=1)
    course = CourseFactory.create(owner=author, published=True, materials_updated_at=long_ago)
    titles = [f"Title {number}" for number in range(4)]
    at_once(*[partial(rename, course, title) for title in titles], before_writing=Course)
    assert CourseUpdate.objects.count() == Mailing.objects.count() == 1
    assert CourseChange.objects.filter(update=None).count() == 3


@pytest.mark.parametrize("subscribers", [1, 50])
def test_a_change_needs_the_same_queries_for_any_number_of_subscribers(
    clock, course, subscribers, django_assert_num_queries
):
    for _number in range(subscribers):
        SubscriptionFactory.create(course=course)
    # Two transactions, one in the other (4); the course read and written (2), and its history;
    # the change; the last mail; this one; its changes; the mailing looked for and made (2).
    with django_assert_num_queries(14):
        rename(course, "Rolls")
    assert not Delivery.objects.exists()


def test_subscribers_get_the_mail_each_in_their_language(course, sink):
    lesson = LessonFactory.create(course=course, title="Flour <&> water")
    SubscriptionFactory.create(
        course=course, user__email="lesya@school.example", user__language="ru"
    )
    authoring.update_lesson(
        lesson=lesson, changes={"video_url": "", "title": "Flour & water"}, by=course.owner
    )
    deliver_mail()
    assert sink.counts == {"reader@school.example": 1, "lesya@school.example": 1}
    (message,) = sink.messages("reader@school.example")
    text = message.get_body(["plain"]).get_content()
    html = message.get_body(["html"]).get_content()
    assert message["Subject"] == "Course “Bread” was updated"
    assert "- Lesson renamed: Flour <&> water → Flour & water" in text
    assert "- Video replaced: Flour & water" in text
    assert f"https://school.example/learn/{lesson.course_id}/{lesson.pk}" in text
    assert "Flour &amp; water" in html
    assert "<img" not in html
    assert "List-Unsubscribe=One-Click" in message["List-Unsubscribe-Post"]
    link = message["List-Unsubscribe"].strip("<>")
    assert link.startswith("https://parta.school.example/unsubscribe/")
    assert link in text
    assert link in html
    (other,) = sink.messages("lesya@school.example")
    assert other["List-Unsubscribe"] != message["List-Unsubscribe"]
    assert '<html lang="ru">' in other.get_body(["html"]).get_content()


def test_who_made_the_change_hears_only_of_the_changes_of_others(clock, course, sink, moderator):
    SubscriptionFactory.create(course=course, user=course.owner)
    SubscriptionFactory.create(course=course, user=moderator)
    rename(course, "Rolls")
    deliver_mail()
    assert sink.counts == {"reader@school.example": 1, moderator.email: 1}
    rename(course, "Buns")
    authoring.update_course(course=course, changes={"description": "x"}, by=moderator)
    clock.shift(QUIET + MOMENT)
    collect()
    deliver_mail()
    (to_owner,) = sink.messages(course.owner.email)
    text = to_owner.get_body(["plain"]).get_content()
    assert "description changed" in text
    assert "renamed" not in text


def test_who_unsubscribed_or_was_blocked_meanwhile_gets_none(course, sink):
    gone = SubscriptionFactory.create(course=course)
    blocked = SubscriptionFactory.create(course=course).user
    rename(course, "Rolls")
    subscriptions.unsubscribe(user=gone.user, course_id=course.pk)
    blocked.block(BlockReason.STAFF)
    blocked.save()
    deliver_mail()
    assert sink.counts == {"reader@school.example": 1}


@pytest.mark.parametrize(
    ("happen", "reason", "number"),
    [
        (lambda one: Course.objects.all().delete(), "the course was deleted", 2),
        (lambda one: Course.objects.update(is_published=False), "the course was unpublished", 2),
        (lambda one: one.delete(), "unsubscribed", 1),
        (lambda one: User.objects.filter(pk=one.user_id).update(is_active=False), "blocked", 1),
    ],
    ids=["deleted", "unpublished", "unsubscribed", "blocked"],
)
def test_what_happens_once_the_mails_are_in_the_ledger_counts(course, sink, happen, reason, number):
    other = SubscriptionFactory.create(course=course)
    rename(course, "Rolls")
    assert list_one_step()
    happen(other)
    deliver_mail()
    skipped = Delivery.objects.filter(status="skipped", error=reason)
    assert skipped.count() == number
    assert skipped.filter(recipient=other.user_id).exists()
    assert sink.counts == ({} if number == 2 else {"reader@school.example": 1})


def test_unsubscribing_between_listing_and_sending_counts(course, sink):
    other = SubscriptionFactory.create(course=course)
    rename(course, "Rolls")
    sink.refused["reader@school.example"] = sink.refused[other.user.email] = "450 Later"
    with time_machine.travel(START, tick=False) as later:
        deliver_mail()
        assert Delivery.objects.count() == 2
        sink.refused.clear()
        other.delete()
        later.shift(timedelta(minutes=1))
        deliver_mail()
    assert sink.counts == {"reader@school.example": 1}


def test_what_came_and_went_is_not_told(clock, course, sink):
    rename(course, "Rolls")
    deliver_mail()
    lesson = authoring.create_lesson(course=course, fields={"title": "Here"}, by=course.owner)
    kept = authoring.create_lesson(course=course, fields={"title": "Kept"}, by=course.owner)
    authoring.update_lesson(lesson=kept, changes={"title": "Kept on"}, by=course.owner)
    authoring.delete_lesson(lesson=lesson, by=course.owner)
    clock.shift(QUIET + MOMENT)
    collect()
    deliver_mail()
    text = sink.messages("reader@school.example")[1].get_body(["plain"]).get_content()
    assert "- Lesson added: Kept on" in text
    assert text.count("\n- ") == 1


def link_in_mail(sink):
    (message,) = sink.messages("reader@school.example")
    return message["List-Unsubscribe"].strip("<>").removeprefix("https://parta.school.example")


def test_one_click_unsubscribes_without_logging_in(course, sink, client):
    rename(course, "Rolls")
    deliver_mail()
    link = link_in_mail(sink)
    reader = Subscription.objects.get(course=course).user
    others = [
        SubscriptionFactory.create(course=course),
        SubscriptionFactory.create(user=reader),
        Subscription.objects.get(course__title="Cheese"),
    ]
    page = client.get(link)
    assert (page.status_code, Subscription.objects.count()) == (200, 4)
    assert "Rolls" in page.content.decode()
    for _click in range(2):
        answer = client.post(link, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert set(Subscription.objects.all()) == set(others)


def test_a_link_unsubscribes_nobody_who_got_the_number_later(course, sink, client):
    """As after a backup was put back."""
    rename(course, "Rolls")
    deliver_mail()
    link = link_in_mail(sink)
    reader = Subscription.objects.get(course=course).user
    User.objects.filter(pk=reader.pk).delete()
    other = SubscriptionFactory.create(course=course, user=UserFactory.create(pk=reader.pk))
    assert client.post(link).status_code == 200
    assert other in Subscription.objects.all()


def test_a_link_of_an_earlier_release_unsubscribes(course, client):
    """People keep mails; in those the account is named by its number."""
    reader = Subscription.objects.get(course=course)
    token = Signer(salt="lms.unsubscribe").sign(f"{reader.user_id}-{course.pk}")
    assert client.post(f"/unsubscribe/{token}/").status_code == 200
    assert reader not in Subscription.objects.all()


def test_a_link_that_we_did_not_sign_unsubscribes_nobody(course, sink, client):
    rename(course, "Rolls")
    deliver_mail()
    link = link_in_mail(sink)
    name = Subscription.objects.get(course=course).user.identity.hex
    forged = link.replace(f"/{name}-", f"/{UserFactory.create().identity.hex}-")
    other_purpose = Signer().sign(f"{name}-{course.pk}")
    for path in (
        forged, "/unsubscribe/x/", "/unsubscribe/1-1:abc/", f"/unsubscribe/{other_purpose}/",
    ):  # fmt: skip
        assert client.post(path).status_code == 404
    assert Subscription.objects.count() == 2

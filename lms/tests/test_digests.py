"""The daily mail: when it goes out, to whom, and what it tells; with a set clock."""

from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from lms.models import Course, Digest, DigestPart, Subscription
from lms.services import authoring, digests, subscriptions
from lms.tasks import forget_old_digests, send_daily_mail, tell_collected_updates
from lms.tests.factories import CourseFactory, SubscriptionFactory
from people.models import BlockReason, CourseMails, User
from people.tests.factories import UserFactory
from project.mail.kinds import Letter, Skip, mail_kind
from project.mail.models import Delivery, DeliveryStatus, KeptLetter, Mailing
from project.mail.sending import mail_server
from project.mail.tasks import deliver_mail
from project.school.current import forget_school
from project.school.tests.factories import SchoolFactory
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

# Eight in Moscow, where the school of the tests is; the daily mail goes out at nine.
START = datetime(2026, 11, 23, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY, NEVER, AT_ONCE = CourseMails.DAILY, CourseMails.NEVER, CourseMails.AT_ONCE


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def bread(clock, author):
    return CourseFactory.create(
        owner=author, published=True, title="Bread", materials_updated_at=START - 30 * DAY
    )


@pytest.fixture
def cheese(clock, author):
    return CourseFactory.create(
        owner=author, published=True, title="Cheese", materials_updated_at=START - 30 * DAY
    )


@pytest.fixture
def reader(bread, cheese):
    """Follows both courses once a day."""
    return follower("reader@school.example", bread, cheese)


def follower(email, *courses, how=DAILY, **fields):
    person = UserFactory.create(email=email, course_mails=how, **fields)
    for course in courses:
        subscriptions.subscribe(user=person, course=course)
    return person


def add(course, title, by=None):
    """Add a lesson to a course."""
    authoring.create_lesson(course=course, fields={"title": title}, by=by or course.owner)


def work():
    """What the worker does by the clock."""
    tell_collected_updates()
    said = send_daily_mail()
    deliver_mail()
    return said


def told(sink, email="reader@school.example"):
    """The lines of each mail, with the titles of the courses before them."""
    texts = [message.get_body(["plain"]).get_content() for message in sink.messages(email)]
    return [
        [
            line.removeprefix("- Lesson added: ")
            for line in text.splitlines()
            if line.startswith("- ") or line in {"Bread", "Cheese"}
        ]
        for text in texts
    ]


def test_one_mail_at_the_set_hour_names_all_courses_that_changed(
    clock, sink, reader, bread, cheese
):
    add(bread, "Flour")
    add(cheese, "Milk")
    add(bread, "Water")  # the course is not quiet
    work()
    assert not sink.received
    clock.shift(HOUR)
    work()
    assert told(sink) == [["Bread", "Flour", "Water", "Cheese", "Milk"]]
    (message,) = sink.messages("reader@school.example")
    assert message["Subject"] == "Course updates, Nov. 23, 2026"
    text = message.get_body(["plain"]).get_content()
    html = message.get_body(["html"]).get_content()
    for page in (f"/courses/{bread.pk}", f"/courses/{cheese.pk}", f"/learn/{bread.pk}/"):
        assert f"https://school.example{page}" in text
        assert f"https://school.example{page}" in html
    clock.shift(DAY)
    work()
    assert len(sink.received) == 1  # nothing changed since


def test_who_hears_once_a_day_hears_nothing_at_once_and_others_nothing_daily(
    clock, sink, reader, bread
):
    other = follower("other@school.example", bread, how=AT_ONCE)
    add(bread, "Flour")
    work()
    assert sink.counts == {other.email: 1}
    clock.shift(HOUR)
    work()
    assert sink.counts == {other.email: 1, reader.email: 1}


def test_a_choice_for_a_course_goes_before_the_one_for_all(clock, sink, reader, bread, cheese):
    subscriptions.choose_for_course(user=reader, course_id=bread.pk, how=AT_ONCE)
    subscriptions.choose_for_course(user=reader, course_id=cheese.pk, how=NEVER)
    add(bread, "Flour")
    add(cheese, "Milk")
    work()
    assert told(sink) == [["Flour"]]
    clock.shift(HOUR)
    work()
    assert len(sink.received) == 1
    subscriptions.choose_for_course(user=reader, course_id=cheese.pk, how=None)
    add(cheese, "Rennet")
    clock.shift(DAY)
    work()
    assert told(sink)[1:] == [["Cheese", "Rennet"]]


def test_what_at_once_told_is_not_repeated_daily_and_what_waited_comes_with_it(clock, sink, bread):
    reader = follower("reader@school.example", bread, how=AT_ONCE)
    add(bread, "Flour")
    add(bread, "Water")  # is collected
    work()
    subscriptions.choose_for_all(user=reader, how=DAILY)
    clock.shift(HOUR)
    work()
    assert told(sink) == [["Flour"], ["Bread", "Water"]]
    # Of what the daily mail told the mail at once tells nobody again who comes back to it.
    subscriptions.choose_for_all(user=reader, how=AT_ONCE)
    clock.shift(5 * HOUR)
    work()
    assert len(sink.received) == 2
    add(bread, "Salt")
    work()
    clock.shift(DAY)
    work()
    assert told(sink)[2:] == [["Salt"]]


def test_who_leaves_the_daily_mail_hears_by_it_what_went_out_at_once_without_them(
    clock, sink, reader, bread
):
    add(bread, "Flour")
    work()
    subscriptions.choose_for_all(user=reader, how=AT_ONCE)
    clock.shift(HOUR)
    work()
    clock.shift(DAY)
    work()
    assert told(sink) == [["Bread", "Flour"]]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda reader, course: Course.objects.update(is_published=False), None),
        (lambda reader, course: subscriptions.choose_for_all(user=reader, how=NEVER), None),
        (
            lambda reader, course: subscriptions.unsubscribe(user=reader, course_id=course.pk),
            ["Cheese", "Milk"],
        ),
        (lambda reader, course: User.objects.filter(pk=reader.pk).update(is_active=False), None),
        (
            lambda reader, course: authoring.delete_course(course=course, by=course.owner),
            ["Cheese", "Milk"],
        ),
    ],
    ids=["unpublished", "never", "unsubscribed", "blocked", "deleted"],
)
@pytest.mark.parametrize("is_listed", [False, True], ids=["before", "listed"])
def test_what_is_not_wanted_or_not_there_any_more_is_left_out(
    clock, sink, reader, bread, cheese, change, lines, is_listed
):
    """Also if it happens while the mail waits in the outbox."""
    add(bread, "Flour")
    add(cheese, "Milk")
    clock.shift(HOUR)
    if is_listed:
        send_daily_mail()
    change(reader, bread)
    work()
    assert told(sink) == ([lines] if lines else [])


def test_what_was_unpublished_at_the_hour_is_told_when_it_is_published_again(
    clock, sink, reader, bread
):
    add(bread, "Flour")
    Course.objects.update(is_published=False)
    clock.shift(HOUR)
    work()
    assert not sink.received
    Course.objects.update(is_published=True)
    clock.shift(DAY)
    work()
    assert told(sink) == [["Bread", "Flour"]]


@pytest.mark.parametrize("notify", [True, False])
def test_a_lesson_that_is_a_draft_at_the_hour_is_not_named(clock, sink, reader, bread, notify):
    add(bread, "Flour")
    add(bread, "Water")
    authoring.update_lesson(
        lesson=bread.lessons.get(title="Flour"),
        changes={"is_published": False},
        by=bread.owner,
        notify=notify,
    )
    clock.shift(HOUR)
    work()
    assert told(sink) == [["Bread", "Water"]]


def test_nobody_is_told_of_their_own_changes(clock, sink, reader, bread, cheese):
    add(bread, "Flour", by=reader)
    add(bread, "Water")
    add(cheese, "Milk", by=reader)
    clock.shift(HOUR)
    work()
    assert told(sink) == [["Bread", "Water"]]


def test_it_goes_to_confirmed_addresses_only(clock, sink, bread):
    follower("new@school.example", bread, email_confirmed_at=None)
    add(bread, "Flour")
    clock.shift(HOUR)
    work()
    assert not Delivery.objects.filter(mailing__kind="course_digest").exists()


def test_each_gets_it_in_their_language_with_a_link_that_ends_it(
    clock, sink, reader, bread, client
):
    follower("lesya@school.example", bread, language="ru")
    add(bread, "Flour <&> water")
    clock.shift(HOUR)
    work()
    (message,) = sink.messages("lesya@school.example")
    assert message["Subject"] == "Обновления курсов, 23 ноября 2026"
    html = message.get_body(["html"]).get_content()
    assert "Добавлен урок: " in html
    assert "Flour &lt;&amp;&gt; water" in html
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (other,) = sink.messages(reader.email)
    assert other["List-Unsubscribe"] != message["List-Unsubscribe"]
    link = other["List-Unsubscribe"].strip("<>")
    assert link in other.get_body(["plain"]).get_content()
    client.post(
        link.removeprefix("https://parta.school.example"), {"List-Unsubscribe": "One-Click"}
    )
    reader.refresh_from_db()
    assert reader.course_mails == NEVER
    assert reader.subscriptions.count() == 2


# --- When ----------------------------------------------------------------------------------------


def dates():
    return [str(digest) for digest in Digest.objects.order_by("date")]


def test_there_is_one_for_a_day_however_often_it_is_asked_for(clock, sink, reader, bread):
    add(bread, "Flour")
    clock.shift(HOUR)
    for _time in range(3):
        work()
    # A change of the same day waits for the next one.
    add(bread, "Water")
    for _time in range(3):
        clock.shift(4 * HOUR)
        work()
    assert dates() == ["2026-11-23"]
    clock.move_to(START + DAY + HOUR)
    work()
    assert told(sink) == [["Bread", "Flour"], ["Bread", "Water"]]


def test_a_worker_that_was_down_at_the_hour_sends_it_later_the_same_day(clock, sink, reader, bread):
    add(bread, "Flour")
    clock.shift(15 * HOUR)
    work()
    assert dates() == ["2026-11-23"]
    assert told(sink) == [["Bread", "Flour"]]


def test_a_day_without_a_worker_loses_nothing(clock, sink, reader, bread):
    add(bread, "Flour")
    clock.shift(17 * HOUR)  # after midnight
    work()
    assert not sink.received
    clock.shift(8 * HOUR)
    work()
    assert dates() == ["2026-11-24"]
    assert told(sink) == [["Bread", "Flour"]]


def test_a_clock_that_is_set_back_sends_no_second_one(clock, sink, reader, bread):
    clock.shift(HOUR + DAY)
    add(bread, "Flour")
    work()
    add(bread, "Water")
    clock.shift(-3 * HOUR)
    work()
    clock.shift(3 * HOUR)
    work()
    assert dates() == ["2026-11-24"]
    assert len(sink.received) == 1


def test_a_clock_that_ran_ahead_does_not_end_the_daily_mail(clock, sink, reader, bread):
    clock.shift(3650 * DAY + HOUR)
    work()
    clock.move_to(START + HOUR)
    add(bread, "Flour")
    work()
    assert told(sink) == [["Bread", "Flour"]]


def test_another_hour_or_time_zone_gives_no_second_one_on_a_day(clock, sink, reader, bread):
    school = SchoolFactory.create()
    add(bread, "Flour")
    clock.shift(HOUR)
    work()
    add(bread, "Water")
    # In Honolulu it is the day before, in Kiritimati the day after.
    changes = [(12, "Europe/Moscow"), (0, "Europe/Moscow"), (0, "Pacific/Honolulu")]
    for hour, zone in [*changes, (0, "Europe/Moscow"), (0, "Pacific/Kiritimati")]:
        assert dates() == ["2026-11-23"]
        school.daily_mail_hour, school.time_zone = hour, zone
        school.save()
        forget_school()
        clock.shift(HOUR)
        work()
    assert dates() == ["2026-11-23", "2026-11-24"]
    assert told(sink) == [["Bread", "Flour"], ["Bread", "Water"]]


@pytest.mark.parametrize("hour", [1, 2, 3])
@pytest.mark.parametrize("day", [datetime(2026, 3, 29), datetime(2026, 10, 25)])  # noqa: DTZ001
def test_a_night_in_which_clocks_are_changed_has_one(settings, sink, author, day, hour):
    settings.TIME_ZONE = "Europe/Berlin"
    SchoolFactory.create(daily_mail_hour=hour, time_zone="Europe/Berlin")
    midnight = day.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    with time_machine.travel(midnight - HOUR, tick=False) as clock:
        course = CourseFactory.create(owner=author, published=True)
        follower("reader@school.example", course)
        digests.open_digest(timezone.now())
        begun = []
        for minute in range(0, 6 * 60, 5):
            add(course, f"Lesson {minute}")
            clock.move_to(midnight + timedelta(minutes=minute))
            if digests.open_digest(timezone.now()):
                begun.append(timezone.localtime(timezone.now(), ZoneInfo("Europe/Berlin")))
    assert [(one.date(), one.minute) for one in begun] == [(day.date(), 0)]
    assert begun[0].hour == hour if hour != 2 or day.month == 10 else 3


@pytest.mark.django_db(transaction=True)
def test_two_clusters_begin_and_list_it_once(author):
    course = CourseFactory.create(owner=author, published=True)
    readers = [follower(f"reader{number}@school.example", course) for number in range(3)]
    add(course, "Flour")
    noon = timezone.now().replace(hour=12)
    at_once(*[partial(digests.open_digest, noon)] * 4)
    assert Digest.objects.count() == 1

    def list_all():
        while digests.list_one_step():
            continue

    at_once(*[list_all] * 4)
    assert DigestPart.objects.count() == Delivery.objects.count() == len(readers)
    assert Mailing.objects.filter(kind="course_digest").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_course_that_is_deleted_at_the_hour_stops_nothing(author, is_first):
    course = CourseFactory.create(owner=author, published=True)
    follower("reader@school.example", course)
    add(course, "Flour")
    begin = partial(digests.open_digest, timezone.now().replace(hour=12))
    delete = partial(authoring.delete_course, course=course, by=author)
    first, second = (begin, delete) if is_first else (delete, begin)
    at_once(first, second, before_writing=Subscription)
    assert Digest.objects.count() == 1
    assert not Course.objects.exists()


# --- How -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 20])
def test_listing_and_writing_take_the_same_queries_for_any_number_of_people(
    clock, bread, cheese, number, django_assert_num_queries
):
    for count in range(number):
        follower(f"reader{count}@school.example", bread, cheese)
    add(bread, "Flour")
    add(cheese, "Milk")
    clock.shift(HOUR)
    digests.open_digest(timezone.now())
    mail_server()
    # The transaction (2); the lock; the daily mail; who is next, and their accounts; the parts, the
    # marks, the mailing (looked for and made, 4) and the mails; how far we came.
    with django_assert_num_queries(14):
        digests.list_one_step()
    digest, people = Digest.objects.get(), list(User.objects.filter(course_mails=DAILY))
    # The daily mail, the parts, the changes, the courses, the lessons, the choices.
    with django_assert_num_queries(6):
        letters = mail_kind("course_digest").write(digest.pk, people)
    assert len(letters) == number
    assert all(isinstance(letter, Letter) for letter in letters.values())


def test_what_many_were_told_alike_is_kept_once(clock, sink, bread, cheese):
    for number in range(3):
        follower(f"both{number}@school.example", bread, cheese)
        follower(f"bread{number}@school.example", bread)
    add(bread, "Flour")
    add(cheese, "Milk")
    clock.shift(HOUR)
    work()
    assert len(sink.received) == 6
    assert KeptLetter.objects.filter(recipient=None).count() == KeptLetter.objects.count() == 2


def test_a_long_list_is_cut_and_counted(clock, sink, reader, bread):
    for number in range(52):
        add(bread, f"Lesson {number}")
    clock.shift(HOUR)
    work()
    (lines,) = told(sink)
    assert lines[-1] == "- and 2 more changes"
    assert len(lines) == 52


def test_who_follows_again_is_not_told_once_more(clock, sink, reader, bread):
    add(bread, "Flour")
    add(bread, "Water")
    clock.shift(HOUR)
    work()
    subscriptions.unsubscribe(user=reader, course_id=bread.pk)
    subscriptions.choose_for_all(user=reader, how=AT_ONCE)
    subscriptions.subscribe(user=reader, course=bread)
    clock.shift(DAY)
    work()
    assert told(sink) == [["Bread", "Flour", "Water"]]


def test_what_is_gone_is_not_told_and_said_so(clock, reader, bread):
    add(bread, "Flour")
    clock.shift(HOUR)
    send_daily_mail()
    bread.changes.all().delete()
    deliver_mail()
    delivery = Delivery.objects.get(recipient=reader)
    assert (delivery.status, delivery.error) == (DeliveryStatus.SKIPPED, "nothing is left to tell")
    assert mail_kind("course_digest").write(0, [reader]) == {
        reader.pk: Skip("nothing is left to tell")
    }


def test_what_daily_mails_told_is_forgotten_after_ninety_days(clock, sink, reader, bread):
    add(bread, "Flour")
    clock.shift(HOUR)
    work()
    clock.shift(90 * DAY)
    assert forget_old_digests() == {"told_changes_forgotten": 0}
    clock.shift(DAY)
    assert forget_old_digests() == {"told_changes_forgotten": 1}
    assert not Digest.objects.exists()
    work()
    assert len(sink.received) == 1


def test_blocking_does_not_end_a_choice(clock, sink, reader, bread):
    reader.block(BlockReason.STAFF)
    reader.save()
    add(bread, "Flour")
    clock.shift(HOUR)
    work()
    reader.unblock()
    reader.save()
    add(bread, "Water")
    clock.shift(DAY)
    work()
    assert told(sink) == [["Bread", "Water"]]


def test_the_database_keeps_no_daily_choice_without_a_mark(reader, bread):
    row = Subscription.objects.filter(user=reader, course=bread)
    with pytest.raises(Exception, match="subscription_daily_is_marked"):
        row.update(course_mails=DAILY, digested_up_to=None)


def test_a_subscription_without_a_choice_of_its_own_follows_the_profile(api, clock, bread, sink):
    person = follower("reader@school.example", bread, how=AT_ONCE)
    SubscriptionFactory.create(user=person)
    api(person).patch(f"users/{person.pk}", {"course_mails": "daily"})
    add(bread, "Flour")
    clock.shift(HOUR)
    work()
    assert told(sink) == [["Bread", "Flour"]]


def test_who_had_chosen_it_hears_of_a_course_that_an_earlier_release_subscribed_them_to(
    clock, sink, bread
):
    person = follower("reader@school.example")
    add(bread, "Before")
    clock.shift(timedelta(minutes=1))
    SubscriptionFactory.create(user=person, course=bread)  # which knows of no mark
    clock.shift(timedelta(minutes=1))
    add(bread, "Flour")
    clock.shift(HOUR)
    work()
    clock.shift(DAY)
    work()
    assert told(sink) == [["Bread", "Flour"]]

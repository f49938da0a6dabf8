"""Each change is told to each subscriber who wants to hear of it once, by a mail at once or by a daily
one, whatever people choose, and whenever: compared with a model that only counts."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lms.models import Course, Digest, Subscription
from lms.services import authoring, digests, subscriptions, updates
from lms.tests.factories import CourseFactory
from people.models import CourseMails, User
from people.services import accounts
from people.tests.factories import UserFactory
from project.mail import recipients
from project.mail.kinds import Letter, mail_kind
from project.mail.models import Delivery, DeliveryStatus, Mailing

pytestmark = pytest.mark.django_db

# Ten in Moscow: the hour of the daily mail has come.
START = datetime(2026, 11, 23, 7, tzinfo=UTC)
TOLD = re.compile(r"^- Lesson added: L(\d+)$", re.MULTILINE)
PEOPLE, COURSES = 2, 2
NEVER = CourseMails.NEVER

people = st.integers(0, PEOPLE - 1)
courses = st.integers(0, COURSES - 1)
choices = st.sampled_from(CourseMails)


class Telling(RuleBasedStateMachine):
    """Courses, those who follow them, and what a worker does in any order, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.travel = time_machine.travel(START, tick=False)
        self.clock = self.travel.start()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        long_ago = START - timedelta(days=30)
        self.courses = CourseFactory.create_batch(
            COURSES, published=True, materials_updated_at=long_ago
        )
        self.people = UserFactory.create_batch(PEOPLE)
        # What was told: (person, number of the change).
        self.told: Counter[tuple[int, int]] = Counter()
        # What is to be told: (person, number of the change) → course.
        self.owed: dict[tuple[int, int], int] = {}
        self.authors: list[tuple[User, Course]] = []

    @initialize(hows=st.lists(choices, min_size=PEOPLE, max_size=PEOPLE))
    def follow_everything(self, hows: list[CourseMails]) -> None:
        for person, how in zip(self.people, hows, strict=True):
            subscriptions.choose_for_all(user=person, how=how)
            for course in self.courses:
                subscriptions.subscribe(user=person, course=course)

    # --- What people do ---------------------------------------------------------------------------

    @rule(index=courses, person=st.none() | people)
    def change(self, index: int, person: int | None) -> None:
        """Add a lesson: by the owner, or by somebody who may follow the course."""
        course = Course.objects.get(pk=self.courses[index].pk)
        by = course.owner if person is None else self.people[person]
        number = len(self.authors)
        self.authors.append((by, course))
        authoring.create_lesson(course=course, fields={"title": f"L{number}"}, by=by)
        for reader in self.people:
            if course.is_published and reader != by and self.wants(reader.pk, course.pk):
                self.owed[reader.pk, number] = course.pk

    @rule(person=people, course=courses)
    def subscribe(self, person: int, course: int) -> None:
        subscriptions.subscribe(user=self.people[person], course=self.courses[course])

    @rule(person=people, course=courses)
    def unsubscribe(self, person: int, course: int) -> None:
        subscriptions.unsubscribe(user=self.people[person], course_id=self.courses[course].pk)
        self.forgive()

    @rule(person=people, how=choices)
    def choose_in_the_profile(self, person: int, how: CourseMails) -> None:
        accounts.update_profile(user=self.people[person], changes={"course_mails": how.value})
        self.forgive()

    @rule(person=people, how=choices)
    def choose_for_all(self, person: int, how: CourseMails) -> None:
        subscriptions.choose_for_all(user=self.people[person], how=how)
        self.forgive()

    @rule(person=people, course=courses, how=st.none() | choices)
    def choose_for_one(self, person: int, course: int, how: CourseMails | None) -> None:
        user, course_id = self.people[person], self.courses[course].pk
        if Subscription.objects.filter(user=user, course=course_id).exists():
            subscriptions.choose_for_course(user=user, course_id=course_id, how=how)
            self.forgive()

    @rule(course=courses, is_published=st.booleans())
    def publish(self, course: int, *, is_published: bool) -> None:
        Course.objects.filter(pk=self.courses[course].pk).update(is_published=is_published)

    def wants(self, person: int, course: int) -> bool:
        followed = Subscription.objects.filter(user=person, course=course)
        return any(one.hears != NEVER for one in followed.select_related("user"))

    def forgive(self) -> None:
        """Who wants to hear nothing now is owed nothing of what was."""
        for (person, number), course in list(self.owed.items()):
            if not self.wants(person, course):
                del self.owed[person, number]

    # --- What time and workers do -----------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 3, 5]))
    def wait(self, hours: int) -> None:
        self.clock.shift(timedelta(hours=hours))

    @rule(steps=st.integers(0, PEOPLE * COURSES + 1))
    def come_to_the_hour_of_the_next_day(self, steps: int) -> None:
        now = timezone.now()
        self.clock.move_to(now.replace(hour=START.hour) + timedelta(days=1))
        digests.open_digest(timezone.now())
        self.list_some_steps_of_a_digest(steps)

    @rule()
    def tell_collected(self) -> None:
        updates.tell_collected()

    @rule(steps=st.integers(1, PEOPLE + 1))
    def list_some_steps_at_once(self, steps: int) -> None:
        for _step in range(steps):
            recipients.list_one_step()

    @rule()
    def open_digest(self) -> None:
        digests.open_digest(timezone.now())

    @rule(steps=st.integers(1, PEOPLE * COURSES + 1))
    def list_some_steps_of_a_digest(self, steps: int) -> None:
        for _step in range(steps):
            digests.list_one_step()

    @precondition(lambda self: Delivery.objects.waiting().exists())
    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        hidden = set(Course.objects.filter(is_published=False).values_list("pk", flat=True))
        for delivery in Delivery.objects.waiting().in_order()[:count]:
            person, mailing = delivery.recipient, delivery.mailing
            written = mail_kind(mailing.kind).write(mailing.subject_id, [person])[person.pk]
            delivery.status = DeliveryStatus.SKIPPED
            if isinstance(written, Letter):
                delivery.status = DeliveryStatus.SENT
                for number in map(int, TOLD.findall(written.text)):
                    author, course = self.authors[number]
                    assert person != author
                    assert course.pk not in hidden
                    assert self.wants(person.pk, course.pk)
                    self.told[person.pk, number] += 1
                    assert self.told[person.pk, number] == 1
            delivery.save()
            # A mail that goes out while a course is unpublished does not tell of it, nor does another.
            for (reader, number), course_id in list(self.owed.items()):
                if reader == person.pk and course_id in hidden:
                    del self.owed[reader, number]

    def teardown(self) -> None:
        try:
            self.tell_all()
            missed = {key for key in self.owed if not self.told[key]}
            assert missed == set()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)
            self.travel.stop()

    def tell_all(self) -> None:
        """Let some days pass in which nothing happens."""
        Course.objects.update(is_published=True)
        for _day in range(3):
            for _time in range(4):
                self.clock.shift(timedelta(hours=6))
                updates.tell_collected()
                digests.open_digest(timezone.now())
                while recipients.list_one_step() or digests.list_one_step():
                    continue
                while Delivery.objects.waiting().exists():
                    self.send(10)
        assert not Digest.objects.filter(is_listed=False).exists()
        assert not Mailing.objects.exclude(state="listed").exists()


def test_each_change_is_told_once_to_each_who_wants_it(monkeypatch: Any) -> None:
    # A person at a time, so that all else happens in between.
    monkeypatch.setattr(recipients, "STEP", 1)
    monkeypatch.setattr(digests, "STEP", 1)
    run_state_machine_as_test(
        Telling, settings=settings(max_examples=20, stateful_step_count=30, deadline=None)
    )

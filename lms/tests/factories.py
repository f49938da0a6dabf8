"""Courses and lessons for tests."""

from collections.abc import Iterable
from typing import Any

import factory
from factory.django import DjangoModelFactory

from lms.models import Course, Lesson, Subscription
from people.tests.factories import UserFactory


class CourseFactory(DjangoModelFactory[Course]):
    """A draft; `published=True` for a course that everyone may see."""

    class Meta:
        model = Course

    class Params:
        published = factory.Trait(is_published=True)

    owner = factory.SubFactory(UserFactory)
    title = factory.Sequence(lambda number: f"Course {number}")
    description = "What it is about"


class LessonFactory(DjangoModelFactory[Lesson]):
    class Meta:
        model = Lesson

    course = factory.SubFactory(CourseFactory)
    title = factory.Sequence(lambda number: f"Lesson {number}")
    video_url = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    position = factory.Sequence(lambda number: number)


def course_with_lessons(titles: Iterable[str], **fields: Any) -> Course:
    """With lessons of these titles, in this order: `course_with_lessons("ABC", owner=author)`."""
    course = CourseFactory.create(**fields)
    for position, title in enumerate(titles):
        LessonFactory.create(course=course, title=title, position=position)
    return course


class SubscriptionFactory(DjangoModelFactory[Subscription]):
    class Meta:
        model = Subscription

    user = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory)

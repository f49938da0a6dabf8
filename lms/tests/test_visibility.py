"""Who sees, learns and counts what: each rule of the querysets for everybody, in one school."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import connection
from django.utils import timezone

from lms import permissions
from lms.models import Access, AccessSource, Completion, Course, Lesson, Subscription
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from people.models import User
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PEOPLE = ["author", "rival", "learner", "stranger", "moderator", "administrator"]
# The courses, by whose they are and whether they are published.
PUBLISHED = {"open", "bought", "single", "lost", "rival's"}
DRAFTS = {"draft", "kept", "kept single", "rival's draft"}
ALL = PUBLISHED | DRAFTS
OF_RIVAL = {"rival's", "rival's draft"}
OF_AUTHOR = ALL - OF_RIVAL


@pytest.fixture(autouse=True)
def school(author, learner, stranger):
    """Courses of two authors, each with a plain and a preview lesson; rights that the learner has,
    some taken back, and the same rights the other way round with a stranger."""
    rival = UserFactory.create(email="rival@school.example")
    courses = Course.objects.bulk_create(
        CourseFactory.build(
            owner=rival if title in OF_RIVAL else author,
            title=title,
            is_published=title in PUBLISHED,
        )
        for title in sorted(ALL)
    )
    Lesson.objects.bulk_create(
        LessonFactory.build(course=course, title=course.title + sign, is_preview=bool(sign))
        for course in courses
        for sign in ("", "+")
    )
    for title in ("bought", "kept"):
        give(learner, Course.objects.get(title=title))
    for title in ("single", "kept single"):
        give(learner, Lesson.objects.get(title=title))
    give(learner, Course.objects.get(title="lost"), revoked_at=timezone.now())
    give(learner, Lesson.objects.get(title="lost"), revoked_at=timezone.now())
    give(stranger, Course.objects.get(title="lost"))
    give(stranger, Course.objects.get(title="bought"), revoked_at=timezone.now())
    give(stranger, Lesson.objects.get(title="single"), revoked_at=timezone.now())


def give(user: User, target: Course | Lesson, **fields: Any) -> Access:
    place: Any = {"course" if isinstance(target, Course) else "lesson": target}
    return Access.objects.create(user=user, source=AccessSource.GRANT, **place, **fields)


@pytest.fixture(params=PEOPLE)
def person(request):
    """Each of them, with the name."""
    if request.param == "rival":
        return request.param, User.objects.get(email="rival@school.example")
    return request.param, request.getfixturevalue(request.param)


def titles(rows: Any) -> list[str]:
    return sorted(rows.values_list("title", flat=True))


def expected(name: str, table: dict[str, set[str]], *, staff: set[str] = ALL) -> list[str]:
    if name in {"moderator", "administrator"}:
        return sorted(staff)
    return sorted(table.get(name, table.get("others", set())))


def with_previews(courses: set[str]) -> set[str]:
    return courses | {f"{title}+" for title in courses}


OWN = {"author": OF_AUTHOR, "rival": OF_RIVAL}
LEARNT_COURSES = OWN | {"learner": {"bought", "kept"}, "stranger": {"lost"}}
PREVIEWS = {f"{title}+" for title in PUBLISHED}
PARTLY_LEARNT_COURSES = LEARNT_COURSES | {"learner": {"bought", "kept", "single", "kept single"}}
LEARNT_LESSONS = {
    "author": with_previews(OF_AUTHOR) | PREVIEWS,
    "rival": with_previews(OF_RIVAL) | PREVIEWS,
    "learner": with_previews({"bought", "kept"}) | {"single", "kept single"} | PREVIEWS,
    "stranger": with_previews({"lost"}) | PREVIEWS,
}
KNOWN_COURSES = {
    "author": PUBLISHED | OF_AUTHOR,
    "rival": PUBLISHED | OF_RIVAL,
    "others": PUBLISHED,
}
KNOWN_LESSONS = {
    "author": with_previews(PUBLISHED | OF_AUTHOR),
    "rival": with_previews(PUBLISHED | OF_RIVAL),
    "learner": with_previews(PUBLISHED | {"kept"}) | {"kept single"},
    "stranger": with_previews(PUBLISHED),
}


def test_authoring_shows_own_courses_and_lessons_and_staff_all(person):
    name, user = person
    assert titles(Course.objects.visible_to(user)) == expected(name, OWN)
    lessons = {owner: with_previews(courses) for owner, courses in OWN.items()}
    found = titles(Lesson.objects.visible_to(user))
    assert found == expected(name, lessons, staff=with_previews(ALL))
    assert not Course.objects.visible_to(AnonymousUser()).exists()
    assert not Lesson.objects.visible_to(AnonymousUser()).exists()


def test_one_subscribes_to_and_buys_what_is_published_and_own(person):
    name, user = person
    assert titles(Course.objects.open_to_subscribers(user)) == expected(name, KNOWN_COURSES)
    # Drafts of others are not on sale, to staff neither.
    on_sale = titles(Course.objects.on_sale_to(user))
    assert on_sale == expected(name, KNOWN_COURSES, staff=PUBLISHED)
    assert titles(Course.objects.published()) == sorted(PUBLISHED)


def test_one_learns_own_courses_and_those_one_has_a_right_to(person):
    name, user = person
    learnt = expected(name, LEARNT_COURSES)
    assert titles(Course.objects.open_to(user)) == learnt
    # Each once, also with a second right to the same course.
    if name == "learner":
        give(user, Course.objects.get(title="kept"), reference="payment:1")
        assert titles(Course.objects.open_to(user)) == learnt
    answered: Any = Course.objects.with_has_access(user)
    assert titles(answered.filter(has_access=True)) == learnt
    assert answered.count() == len(ALL)


def test_one_knows_of_courses_one_has_a_right_in(person):
    name, user = person
    in_part = expected(name, PARTLY_LEARNT_COURSES)
    assert titles(Course.objects.open_in_part_to(user)) == in_part
    answered: Any = Course.objects.with_is_open_in_part(user)
    assert titles(answered.filter(is_open_in_part=True)) == in_part
    assert answered.count() == len(ALL)
    known = {*expected(name, KNOWN_COURSES), *in_part}
    assert titles(Course.objects.not_hidden_from(user)) == sorted(known)


def test_one_learns_lessons_by_a_right_as_the_author_and_for_a_preview(person):
    name, user = person
    everything = with_previews(ALL)
    learnt = expected(name, LEARNT_LESSONS, staff=everything)
    assert titles(Lesson.objects.open_to(user)) == learnt
    answered: Any = Lesson.objects.with_has_access(user)
    assert titles(answered.filter(has_access=True)) == learnt
    assert answered.count() == len(everything)
    known = expected(name, KNOWN_LESSONS, staff=everything)
    assert titles(Lesson.objects.not_hidden_from(user)) == known


def test_subscriptions_are_seen_by_whose_they_are_while_the_course_is(person):
    name, user = person
    for course in Course.objects.all():
        SubscriptionFactory.create(course=course, user=user)
        SubscriptionFactory.create(course=course)
    seen = Subscription.objects.visible_to(user)
    assert {subscription.user_id for subscription in seen} == {user.pk}
    assert titles(Course.objects.filter(subscriptions__in=seen)) == expected(name, KNOWN_COURSES)
    assert seen.count() == len(expected(name, KNOWN_COURSES))


def test_marks_of_subscriptions_and_completions_are_the_viewer_s_own(learner, stranger):
    mine, other = Course.objects.get(title="open"), Course.objects.get(title="bought")
    SubscriptionFactory.create(course=mine, user=learner)
    SubscriptionFactory.create(course=other, user=stranger)
    Completion.objects.create(user=learner, lesson=mine.lessons.get(is_preview=True))
    Completion.objects.create(user=stranger, lesson=other.lessons.get(is_preview=True))
    subscribed: Any = Course.objects.with_is_subscribed(learner)
    assert titles(subscribed.filter(is_subscribed=True)) == ["open"]
    assert subscribed.count() == len(ALL)
    completed: Any = Lesson.objects.with_is_completed(learner)
    assert titles(completed.filter(is_completed=True)) == ["open+"]
    assert completed.count() == 2 * len(ALL)
    catalog: Any = Course.objects.with_catalog_details(learner).get(title="bought")
    assert (catalog.is_subscribed, catalog.has_access, catalog.lessons_count) == (False, True, 2)


# --- What one may do ------------------------------------------------------------------------------

ABILITIES = {
    # create, then update and delete (and add lessons) of a course of the author, of one's own
    "author": (True, (True, True), (True, True)),
    "stranger": (True, (False, False), (True, True)),
    "moderator": (False, (True, False), (True, False)),
    "administrator": (True, (True, True), (True, True)),
    "appointed administrator": (True, (True, True), (True, True)),
}


@pytest.mark.parametrize("name", ABILITIES)
def test_who_may_create_change_and_delete(request, name, administrator, moderator, author):
    user = request.getfixturevalue(name.split()[-1])
    if name == "appointed administrator":
        user.groups.set(moderator.groups.all())
    own = Course(owner=user)
    of_author = Course(owner=author)
    creates, *rights = ABILITIES[name]
    assert permissions.can_create_course(user) is creates
    for course, (update, delete) in zip((of_author, own), rights, strict=True):
        lesson = Lesson(course=course)
        copy = creates and update
        of_course = {"update": update, "delete": delete, "add_lesson": delete, "copy": copy}
        assert permissions.course_abilities(user, course) == of_course
        assert permissions.can_update_course(user, course) is update
        assert permissions.can_delete_course(user, course) is delete
        assert permissions.can_add_lesson(user, course) is delete
        of_lesson = {"update": update, "delete": delete}
        assert permissions.lesson_abilities(user, lesson) == of_lesson
        assert permissions.can_update_lesson(user, lesson) is update
        assert permissions.can_delete_lesson(user, lesson) is delete


@pytest.mark.parametrize(
    ("rights", "allowed"),
    [
        ([], (False, False, False)),
        (["view_access"], (True, False, False)),
        (["add_access"], (False, True, False)),
        (["change_access"], (False, False, False)),
        (["view_access", "change_access"], (True, False, True)),
    ],
)
def test_looking_at_giving_and_taking_rights_are_rights_of_their_own(stranger, rights, allowed):
    stranger.user_permissions.set(Permission.objects.filter(codename__in=rights))
    assert (
        permissions.can_see_accesses(stranger),
        permissions.can_grant_access(stranger),
        permissions.can_revoke_access(stranger),
    ) == allowed


# --- What is counted ------------------------------------------------------------------------------


def test_people_and_lessons_are_counted_of_each_course_apart(learner, stranger):
    bought = Course.objects.get(title="bought")
    give(learner, bought, reference="payment:1")  # a second right is no second learner
    give(UserFactory.create(), bought)
    give(UserFactory.create(), bought.lessons.earliest("pk"))  # learns a lesson, not the course
    SubscriptionFactory.create_batch(3, course=bought)
    SubscriptionFactory.create(course=Course.objects.get(title="open"), user=learner)
    LessonFactory.create(course=bought)
    counted: Any = Course.objects.with_people_counts().with_lessons_count()
    assert {
        course.title: (course.lessons_count, course.subscribers_count, course.learners_count)
        for course in counted.filter(title__in=["bought", "open", "lost", "single"])
    } == {"bought": (3, 3, 2), "open": (2, 1, 0), "lost": (2, 0, 1), "single": (2, 0, 0)}


def test_completion_counts_lessons_finished_by_present_learners_of_the_course(learner, stranger):
    bought, kept = Course.objects.get(title="bought"), Course.objects.get(title="kept")
    give(learner, bought, reference="payment:1")
    second = UserFactory.create()
    give(second, bought)
    give(second, kept.lessons.earliest("pk"))  # a lesson of it is not the course
    finished = [
        *((learner, lesson) for lesson in bought.lessons.all()),
        (second, bought.lessons.earliest("pk")),
        (second, kept.lessons.earliest("pk")),
        (learner, kept.lessons.earliest("pk")),
        (stranger, bought.lessons.earliest("pk")),  # has lost the right
        (stranger, kept.lessons.earliest("pk")),  # never had one
    ]
    for user, lesson in finished:
        Completion.objects.create(user=user, lesson=lesson)
    counted: Any = Course.objects.with_completion()
    assert {
        course.title: (course.completions_count, course.lessons_count, course.learners_count)
        for course in counted.filter(title__in=["bought", "kept", "open"])
    } == {"bought": (3, 2, 2), "kept": (1, 2, 1), "open": (0, 2, 0)}
    assert {course.subscribers_count for course in counted} == {0}


def test_courses_that_are_followed_are_listed_the_most_followed_first():
    for title, number in (("open", 1), ("single", 2), ("kept", 2), ("lost", 3)):
        SubscriptionFactory.create_batch(number, course=Course.objects.get(title=title))
    followed: Any = Course.objects.by_subscribers()
    even = sorted(["single", "kept"], key=lambda title: -Course.objects.get(title=title).pk)
    assert [(course.title, course.subscribers_count) for course in followed] == [
        ("lost", 3),
        *((title, 2) for title in even),
        ("open", 1),
    ]


def test_free_is_what_costs_nothing():
    Course.objects.filter(title__in=["open", "draft"]).update(price="0.01")
    assert titles(Course.objects.free(is_free=False)) == ["draft", "open"]
    assert titles(Course.objects.free(is_free=True)) == sorted(ALL - {"open", "draft"})


def test_lessons_are_numbered_within_their_course():
    course = Course.objects.get(title="open")
    Lesson.objects.filter(course=course).delete()
    places = {"b": 5, "c": 6, "a": 0, "d": 9}  # created in this order
    for title, position in places.items():
        LessonFactory.create(course=course, title=title, position=position)
    numbered: Any = Lesson.objects.with_number().filter(course=course)
    numbers = {lesson.title: lesson.number for lesson in numbered}
    assert numbers == {"a": 1, "b": 2, "c": 3, "d": 4}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL refuses it")
def test_lessons_at_one_place_follow_by_their_keys(author):
    """Only SQLite lets two be there."""
    course = CourseFactory.create(owner=author)
    a, b, c = (one.pk for one in LessonFactory.create_batch(3, course=course, position=1))
    shown: Any = Lesson.objects.filter(course=course).with_number().with_neighbours(author)
    around = shown.order_by("pk").values_list("number", "previous_lesson_id", "next_lesson_id")
    assert list(around) == [(1, None, b), (2, a, c), (3, b, None)]


def test_searching_looks_into_title_and_description():
    for title, changes in (("open", {"description": "Rye"}), ("kept", {"title": "Rye and more"})):
        course = Course.objects.get(title=title)
        authoring.update_course(course=course, changes=changes, by=course.owner)
    assert titles(Course.objects.matching("rye")) == ["Rye and more", "open"]

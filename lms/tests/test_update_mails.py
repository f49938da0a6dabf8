"""What the mail about a changed course says, to whom."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from lms.mails import Line, lines_of, subscription_of, unsubscribe_token
from lms.models import ChangeKind, Course, CourseChange, CourseUpdate, Lesson, Subscription
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from people.models import BlockReason
from people.tests.factories import UserFactory
from project.common.frontend import lesson_page
from project.mail.kinds import Letter, Skip, mail_kind

COURSE, LESSON = "https://school.example/courses/1", "https://school.example/learn/1"
RENAMED, TEXT = ChangeKind.COURSE_RENAMED, ChangeKind.COURSE_TEXT
ADDED, REMOVED = ChangeKind.LESSON_ADDED, ChangeKind.LESSON_REMOVED
LESSON_RENAMED, LESSON_TEXT = ChangeKind.LESSON_RENAMED, ChangeKind.LESSON_TEXT
VIDEO = ChangeKind.VIDEO_REPLACED


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ([(RENAMED, None), (RENAMED, None)], [Line(RENAMED, "", COURSE)]),
        # Of one thing in the order of the kinds, the things in the order of their first change.
        (
            [(VIDEO, 5), (TEXT, None), (LESSON_RENAMED, 5), (RENAMED, None), (LESSON_TEXT, 5)],
            [
                Line(LESSON_RENAMED, "Flour", f"{LESSON}/5"),
                Line(LESSON_TEXT, "Flour", f"{LESSON}/5"),
                Line(VIDEO, "Flour", f"{LESSON}/5"),
                Line(RENAMED, "", COURSE),
                Line(TEXT, "", COURSE),
            ],
        ),
        ([(ADDED, 5), (LESSON_RENAMED, 5)], [Line(ADDED, "Flour", f"{LESSON}/5")]),
        ([(LESSON_RENAMED, 6), (REMOVED, 6)], [Line(REMOVED, "6", "")]),
        ([(ADDED, 6), (LESSON_TEXT, 6), (REMOVED, 6)], []),
        # What went and came back is there as before.
        ([(REMOVED, 5), (ADDED, 5)], []),
        ([(VIDEO, 5), (REMOVED, 5), (ADDED, 5)], [Line(VIDEO, "Flour", f"{LESSON}/5")]),
        ([(REMOVED, 6), (ADDED, 6), (REMOVED, 6)], [Line(REMOVED, "6", "")]),
        ([(ADDED, 5), (REMOVED, 5), (ADDED, 5)], [Line(ADDED, "Flour", f"{LESSON}/5")]),
        # A draft is not there, whatever was told of it.
        ([(VIDEO, 7)], []),
        ([(ADDED, 7)], []),
        ([(VIDEO, 7), (REMOVED, 7)], [Line(REMOVED, "7", "")]),
        ([(REMOVED, 7), (ADDED, 7)], [Line(REMOVED, "7", "")]),
        ([(REMOVED, 5)], []),
        # One lesson came, another one went.
        ([(ADDED, 5), (REMOVED, 6)], [Line(ADDED, "Flour", f"{LESSON}/5"), Line(REMOVED, "6", "")]),
        ([(LESSON_TEXT, 6)], [Line(LESSON_TEXT, "6", "")]),
    ],
)
def test_each_thing_is_said_once(changes, lines):
    """Lesson 5 is there and called Flour; lesson 6 is gone; lesson 7 is a draft."""
    made = [CourseChange(kind=kind, lesson_id=pk, lesson_title=str(pk)) for kind, pk in changes]
    draft = Lesson(pk=7, title="Secret", is_published=False)
    assert lines_of(Course(pk=1), made, {5: Lesson(pk=5, title="Flour"), 7: draft}) == lines


def letters(update: CourseUpdate, *people: Any) -> list[Any]:
    """What these people get: the lines of a letter that begin with a dash, or why there is none."""
    written = mail_kind("course_update").write(update.pk, people)
    assert list(written) == [person.pk for person in people]
    return [one.reason if isinstance(one, Skip) else lines_in(one) for one in written.values()]


def lines_in(letter: Letter) -> list[str]:
    return [line[2:] for line in letter.text.splitlines() if line.startswith("- ")]


@pytest.fixture
def course(author):
    return CourseFactory.create(owner=author, published=True, title="Bread")


@pytest.fixture
def update(course):
    return CourseUpdate.objects.create(course=course)


def change(update: CourseUpdate, kind: ChangeKind, by: Any = None, **fields: Any) -> None:
    course = update.course
    CourseChange.objects.create(update=update, course=course, kind=kind, changed_by=by, **fields)


def test_authors_of_changes_hear_of_those_of_others(update, author, moderator, learner):
    for person in (author, moderator, learner):
        SubscriptionFactory.create(course=update.course, user=person)
    change(update, RENAMED, author)
    change(update, TEXT, moderator)
    # In one language, and the one after the other.
    assert letters(update, author, moderator, learner) == [
        ["Course description changed"],
        ["Course renamed"],
        ["Course renamed", "Course description changed"],
    ]
    CourseChange.objects.filter(changed_by=moderator).delete()
    assert letters(update, learner, author) == [["Course renamed"], "made the change"]


@pytest.mark.parametrize(("who", "is_named"), [("author", True), ("moderator", False)])
def test_the_course_s_author_is_named_where_they_made_the_change(
    update, learner, request, who, is_named
):
    SubscriptionFactory.create(course=update.course, user=learner)
    person = request.getfixturevalue(who)
    change(update, TEXT, person)
    letter = mail_kind("course_update").write(update.pk, [learner])[learner.pk]
    assert isinstance(letter, Letter)
    for part in (letter.text, letter.html):
        assert (f"{person.first_name}, Parta" in part) is is_named
        assert (person.first_name in part) is is_named


def test_each_gets_a_letter_in_their_language_with_their_own_link(update, learner):
    change(update, RENAMED)
    ivan = UserFactory.create(language="ru")
    for person in (learner, ivan):
        SubscriptionFactory.create(course=update.course, user=person)
    english, russian = mail_kind("course_update").write(update.pk, [learner, ivan]).values()
    assert isinstance(english, Letter)
    assert isinstance(russian, Letter)
    assert (english.subject, russian.subject) == (
        "Course “Bread” was updated", "Курс «Bread» обновлён",
    )  # fmt: skip
    for person, letter in ((learner, english), (ivan, russian)):
        token = unsubscribe_token(person, update.course_id)
        assert letter.unsubscribe_url == f"https://parta.school.example/unsubscribe/{token}/"
        assert subscription_of(token) == (person, update.course_id)
        assert f"https://school.example/courses/{update.course_id}" in letter.text


def test_only_subscribers_of_this_course_get_it_and_the_others_are_told_why_not(
    update, learner, stranger
):
    change(update, RENAMED)
    SubscriptionFactory.create(course=update.course, user=learner)
    SubscriptionFactory.create(user=stranger)  # follows another course
    blocked = SubscriptionFactory.create(course=update.course).user
    blocked.block(BlockReason.STAFF)
    assert letters(update, learner, stranger, blocked) == [
        ["Course renamed"], "unsubscribed", "blocked",
    ]  # fmt: skip
    audience, field = mail_kind("course_update").audience(update.pk)
    assert set(audience.values_list(field, flat=True)) == {learner.pk, blocked.pk}
    other = CourseUpdate.objects.create(course=Subscription.objects.get(user=stranger).course)
    audience, field = mail_kind("course_update").audience(other.pk)
    assert list(audience.values_list(field, flat=True)) == [stranger.pk]


@pytest.mark.parametrize("state", ["unpublished", "deleted"])
def test_nobody_is_told_of_a_course_that_is_not_there_any_more(update, learner, stranger, state):
    SubscriptionFactory.create(course=update.course, user=learner)
    if state == "deleted":
        update = SimpleNamespace(pk=update.pk + 1)
    else:
        Course.objects.update(is_published=False)
    assert letters(update, learner, stranger) == [f"the course was {state}"] * 2


def test_a_mail_tells_so_much_and_counts_the_rest(update, learner):
    SubscriptionFactory.create(course=update.course, user=learner)
    Course.objects.update(title="x" * 81)
    CourseChange.objects.bulk_create(
        CourseChange(
            update=update, course=update.course, kind=REMOVED, lesson_id=number + 1,
            lesson_title=f"Lesson {number}",
        )
        for number in range(2001)
    )  # fmt: skip
    update.refresh_from_db()
    [lines] = letters(update, learner)
    told = [f"Lesson removed: Lesson {number}" for number in range(50)]
    assert lines == [*told, "and 1950 more changes"]
    [letter] = mail_kind("course_update").write(update.pk, [learner]).values()
    assert isinstance(letter, Letter)
    assert letter.subject == f"Course “{'x' * 79}…” was updated"


def test_all_lines_fit_into_a_mail_of_fifty(update, learner):
    SubscriptionFactory.create(course=update.course, user=learner)
    for number in range(50):
        change(update, LESSON_TEXT, lesson_id=number + 1, lesson_title=f"Lesson {number}")
    [lines] = letters(update, learner)
    assert len(lines) == 50
    assert lines[-1] == "Lesson description changed: Lesson 49"


# --- Old and new ------------------------------------------------------------------------------


@pytest.fixture
def lesson(course):
    return LessonFactory.create(course=course, title="Flour", price=None)


@pytest.fixture
def reader(course):
    return SubscriptionFactory.create(course=course).user


def collected(course: Course) -> CourseUpdate:
    """An update with all that waits."""
    update = CourseUpdate.objects.create(course=course)
    course.changes.filter(update=None).update(update=update)
    return update


def edit(subject: Any, by: Any = None, **changes: Any) -> None:
    if isinstance(subject, Lesson):
        owner = subject.course.owner
        authoring.update_lesson(lesson=subject, changes=changes, by=by or owner)
    else:
        authoring.update_course(course=subject, changes=changes, by=by or subject.owner)


def test_names_and_prices_are_told_with_those_of_before(course, lesson, reader, settings):
    settings.CURRENCY = "RUB"
    edit(course, title="Rolls", price=Decimal("1990.5"))
    edit(lesson, title="Rye <flour>", price=Decimal(0))
    edit(course, title="Buns")
    update = collected(course)
    [lines] = letters(update, reader)
    assert lines == [
        "Course renamed: Bread → Buns",
        "Price of the course changed: Free → ₽1,990.50",
        "Lesson renamed: Flour → Rye <flour>",
        "Price of a lesson changed: Rye <flour>: not sold on its own → Free",
    ]  # fmt: skip
    reader.language = "ru"
    [letter] = mail_kind("course_update").write(update.pk, [reader]).values()
    assert isinstance(letter, Letter)
    page = lesson_page(course.pk, lesson.pk)
    assert "Бесплатно → 1\N{NO-BREAK SPACE}990,50\N{NO-BREAK SPACE}₽" in letter.text
    assert f'<bdi>Flour</bdi> → <a href="{page}"' in letter.html
    assert "<bdi>Rye &lt;flour&gt;</bdi></a>" in letter.html
    assert f"\n  {page}\n" in letter.text


@pytest.mark.parametrize("by", ["the same", "another"])
def test_what_ends_as_it_began_is_not_told(course, lesson, reader, moderator, by):
    second = moderator if by == "another" else None
    edit(course, title="Rolls", price=5)
    edit(course, second, title="Bread", price=0)
    edit(lesson, title="Oats", price=5)
    edit(lesson, second, title="Flour", price=None)
    edit(lesson, video_url="")
    assert letters(collected(course), reader) == [["Video replaced: Flour"]]


def test_nobody_is_mailed_if_all_was_undone_when_the_worker_comes_to_it(course, reader):
    edit(course, title="Rolls")
    update = collected(course)
    edit(course, title="Bread")
    assert letters(update, reader) == ["the change was undone"]


def test_who_changed_something_back_hears_nothing_and_who_did_it_first_does(
    course, author, moderator
):
    for person in (author, moderator):
        SubscriptionFactory.create(course=course, user=person)
    edit(course, author, title="Rolls", description="Anew")
    edit(course, moderator, title="Bread")
    assert letters(collected(course), author, moderator) == [
        ["Course renamed: Rolls → Bread"],
        ["Course description changed"],
    ]


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_what_became_of_a_lesson_elsewhere_is_not_told(course, lesson, reader, how):
    """Of a lesson in a draft not even its new name."""
    edit(lesson, title="Oats", price=7)
    if how == "deleted":
        authoring.delete_lesson(lesson=lesson, by=course.owner, notify=False)
    else:
        draft = CourseFactory.create(owner=course.owner)
        changes = {"course": draft, "title": "Secret"}
        authoring.update_lesson(lesson=lesson, changes=changes, by=course.owner, notify=False)
    assert letters(collected(course), reader) == [["Lesson renamed: Flour → Oats"]]
    [letter] = mail_kind("course_update").write(CourseUpdate.objects.get().pk, [reader]).values()
    assert isinstance(letter, Letter)
    assert "/learn/" not in letter.text + letter.html


def test_a_lesson_that_moves_into_a_draft_is_told_by_its_name_of_then(course, lesson, reader):
    draft = CourseFactory.create(owner=course.owner)
    edit(lesson, course=draft, title="Secret")
    edit(lesson, title="Secret, too")
    assert letters(collected(course), reader) == [["Lesson removed: Flour"]]


def test_what_a_draft_was_called_and_cost_is_not_told(course, lesson, reader):
    Course.objects.update(is_published=False, title="Secret", price=7)
    edit(course, title="Bread", price=9, is_published=True)
    edit(course, description="Anew")
    assert letters(collected(course), reader) == [["Course renamed", "Course description changed"]]


def test_changes_of_the_release_before_are_told_without_what_was_there(course, lesson, reader):
    old = {"course": course, "changed_by": course.owner}
    CourseChange.objects.create(kind=RENAMED, **old)
    renamed = {"lesson_id": lesson.pk, "lesson_title": "Oats"}
    CourseChange.objects.create(kind=LESSON_RENAMED, **renamed, **old)
    assert letters(collected(course), reader) == [["Course renamed", "Lesson renamed: Flour"]]

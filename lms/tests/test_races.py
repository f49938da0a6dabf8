"""Several requests at once about one course: each decides by what is there when its turn comes."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import BytesIO
from threading import BoundedSemaphore
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils import timezone
from PIL import Image

from lms.models import (
    Access,
    AccessSource,
    Completion,
    Course,
    CourseChange,
    CourseUpdate,
    Lesson,
    Subscription,
)
from lms.services import accesses, updates
from lms.tests.factories import CourseFactory, LessonFactory
from project.common import images
from project.mail.models import Mailing
from project.tests.races import at_once, statuses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def picture() -> bytes:
    encoded = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(encoded, "JPEG")
    return encoded.getvalue()


@pytest.fixture
def lesson(author) -> Lesson:
    return LessonFactory.create(course__owner=author, course__published=True, is_preview=True)


@pytest.fixture
def course(lesson: Lesson) -> Course:
    return lesson.course


def stored(folder: str) -> set[str]:
    there = default_storage.exists(folder)
    return {f"{folder}/{name}" for name in default_storage.listdir(folder)[1]} if there else set()


# --- Deleting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [Course, Lesson])
def test_what_is_deleted_at_once_is_deleted_once(api, author, course, lesson, what):
    path = f"courses/{course.pk}" if what is Course else f"lessons/{lesson.pk}"
    answers = at_once(*[lambda: api(author).delete(path)] * 6, before_writing=what)
    assert statuses(answers) == {204: 1, 404: 5}
    assert not what.objects.exists()


@pytest.mark.parametrize("what", [Course, Lesson])
def test_what_is_deleted_meanwhile_is_not_there(
    api, author, learner, course, lesson, picture, what
):
    """Each request finds it, or does not; none fails, and nothing is left of it."""
    course_path, lesson_path = f"courses/{course.pk}", f"lessons/{lesson.pk}"
    doomed = course_path if what is Course else lesson_path
    answers = at_once(
        lambda: api(author).delete(doomed),
        lambda: api(author).patch(course_path, {"title": "Anew"}),
        lambda: api(author).patch(lesson_path, {"title": "Anew"}),
        lambda: api(author).upload(f"{course_path}/preview", picture),
        lambda: api(author).upload(f"{lesson_path}/preview", picture),
        lambda: api(author).post("lessons", {"course_id": course.pk, "title": "New"}),
        lambda: api(learner).post(f"{course_path}/subscription"),
        lambda: api(learner).post(f"learning/{course_path}/enrollment"),
        lambda: api(learner).put(f"learning/{lesson_path}/completion"),
    )
    assert set(statuses(answers)) <= {200, 201, 204, 403, 404, 422}
    assert not what.objects.filter(pk=course.pk if what is Course else lesson.pk).exists()
    assert not Completion.objects.exists()
    if what is Course:
        assert not Subscription.objects.exists()
        assert not Access.objects.exists()


def test_two_copies_at_once_are_two_courses(api, author, course, lesson):
    copies = at_once(*[lambda: api(author).post(f"courses/{course.pk}/copy")] * 2)
    assert statuses(copies) == {201: 2}
    titles = [copy.json()["lessons"][0]["title"] for copy in copies]
    assert titles == [lesson.title] * 2
    assert Course.objects.count() == 3


@pytest.mark.parametrize("what", [Course, Lesson])
def test_what_is_deleted_while_it_is_copied_is_copied_whole_or_not(
    api, author, course, lesson, picture, what
):
    path, before = f"lessons/{lesson.pk}", stored("lessons")
    LessonFactory.create(course=course, position=1)
    api(author).upload(f"{path}/preview", picture)
    doomed = f"courses/{course.pk}" if what is Course else path
    copied, deleted = at_once(
        lambda: api(author).post(f"courses/{course.pk}/copy"),
        lambda: api(author).delete(doomed),
        before_writing=Lesson,
    )
    assert deleted.status_code == 204
    assert copied.status_code in ({201, 404} if what is Course else {201})
    copy = Course.objects.exclude(pk=course.pk).first()
    shown = {lesson.preview.name for lesson in copy.lessons.all()} - {""} if copy else set()
    assert stored("lessons") - before == shown


def test_a_picture_that_comes_while_a_course_is_copied_is_copied_too(
    api, author, course, lesson, picture, monkeypatch
):
    """The pictures of before are copied when another one comes for the lesson."""
    path, before = f"lessons/{lesson.pk}/preview", stored("lessons")
    api(author).upload(path, picture)
    save = FileSystemStorage.save
    uploads: list[object] = []

    def save_meanwhile(*arguments: Any, **options: Any) -> str:
        if not uploads:
            uploads.append(path)
            uploads.append(api(author).upload(path, picture).status_code)
        return save(*arguments, **options)

    monkeypatch.setattr(FileSystemStorage, "save", save_meanwhile)
    copied = api(author).post(f"courses/{course.pk}/copy").json()
    assert uploads == [path, 200]
    copy = Lesson.objects.get(pk=copied["lessons"][0]["id"])
    lesson.refresh_from_db()
    assert stored("lessons") - before == {lesson.preview.name, copy.preview.name}


@pytest.mark.parametrize(
    ("written", "begin"),
    [
        (Subscription, "post courses/{course}/subscription"),
        (Access, "post learning/courses/{course}/enrollment"),
        (Completion, "put learning/lessons/{lesson}/completion"),
        (Completion, "delete learning/lessons/{lesson}/completion"),
        (Access, "delete learning/courses/{course}/enrollment"),
    ],
)
@pytest.mark.parametrize("what", [Course, Lesson])
def test_neither_a_learner_who_begins_nor_a_deletion_at_this_moment_fails(
    api, author, learner, lesson, written, begin, what
):
    doomed = f"courses/{lesson.course_id}" if what is Course else f"lessons/{lesson.pk}"
    method, path = begin.format(course=lesson.course_id, lesson=lesson.pk).split()
    begun, deleted = at_once(
        lambda: getattr(api(learner), method)(path),
        lambda: api(author).delete(doomed),
        before_writing=written,
    )
    assert begun.status_code in {200, 201, 204, 403, 404}
    assert deleted.status_code == 204
    assert not what.objects.exists()


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_a_picture_that_comes_while_all_is_deleted_leaves_no_file(
    api, author, course, lesson, picture, what
):
    before = stored("lessons")
    at_once(
        lambda: api(author).upload(f"lessons/{lesson.pk}/preview", picture),
        lambda: api(author).delete(
            f"courses/{course.pk}" if what == "course" else f"lessons/{lesson.pk}"
        ),
        before_writing=Lesson,
    )
    assert not Lesson.objects.exists()
    assert stored("lessons") == before


@pytest.mark.postgresql
def test_a_lesson_is_not_moved_into_a_course_that_is_just_deleted(api, author, lesson):
    course = CourseFactory.create(owner=author)
    deleted, moved = at_once(
        lambda: api(author).delete(f"courses/{course.pk}"),
        lambda: api(author).patch(f"lessons/{lesson.pk}", {"course_id": course.pk}),
        before_writing=Course,
    )
    assert (deleted.status_code, moved.status_code) == (204, 404)
    assert Lesson.objects.get().course == lesson.course


# --- Changing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [Course, Lesson])
def test_of_pictures_that_come_at_once_one_stays(
    api, author, course, lesson, picture, what, monkeypatch
):
    # A process with fewer places would answer some of them with 503.
    monkeypatch.setattr(images, "_places", BoundedSemaphore(4))
    monkeypatch.setattr(images, "PATIENCE", 60)
    folder, pk = ("courses", course.pk) if what is Course else ("lessons", lesson.pk)
    before = stored(folder)
    path = f"{folder}/{pk}/preview"
    answers = at_once(*[lambda: api(author).upload(path, picture)] * 4, before_writing=what)
    assert statuses(answers) == {200: 4}
    assert stored(folder) - before == {what.objects.get(pk=pk).preview.name}


def test_lessons_that_are_added_at_once_have_places_of_their_own(api, author, course):
    body = {"course_id": course.pk, "title": "New"}
    answers = at_once(*[lambda: api(author).post("lessons", body)] * 4, before_writing=Lesson)
    assert statuses(answers) == {201: 4}
    places = list(course.lessons.values_list("position", flat=True))
    assert len(set(places)) == len(places) == 5


@pytest.mark.postgresql
@pytest.mark.parametrize("what", [Course, Lesson])
def test_who_puts_back_the_old_title_at_the_same_moment_has_the_last_word(
    api, author, course, lesson, what
):
    subject = course if what is Course else lesson
    path = f"courses/{course.pk}" if what is Course else f"lessons/{lesson.pk}"
    at_once(
        lambda: api(author).patch(path, {"title": "Rolls"}),
        lambda: api(author).patch(path, {"title": subject.title}),
        before_writing=what,
    )
    assert what.objects.get(pk=subject.pk).title == subject.title


@pytest.mark.postgresql
@pytest.mark.parametrize("change", ["rename", "add", "change", "move here", "delete"])
def test_a_change_at_the_moment_of_publication_is_told(api, author, course, lesson, change):
    long_ago = timezone.now() - timedelta(days=1)
    Course.objects.update(is_published=False, materials_updated_at=long_ago)
    elsewhere = LessonFactory.create(course__owner=author)
    client = api(author)
    changes: dict[str, Callable[[], Any]] = {
        "rename": partial(client.patch, f"courses/{course.pk}", {"title": "Rolls"}),
        "add": partial(client.post, "lessons", {"course_id": course.pk, "title": "New"}),
        "change": partial(client.patch, f"lessons/{lesson.pk}", {"title": "Rolls"}),
        "move here": partial(client.patch, f"lessons/{elsewhere.pk}", {"course_id": course.pk}),
        "delete": partial(client.delete, f"lessons/{lesson.pk}"),
    }
    at_once(
        lambda: api(author).patch(f"courses/{course.pk}", {"is_published": True}),
        changes[change],
        before_writing=Course,
    )
    assert CourseChange.objects.filter(course=course).count() == 1
    assert Mailing.objects.count() == 1


@pytest.mark.postgresql
def test_a_lesson_that_is_moved_twice_at_once_leaves_the_course_that_it_is_in(api, author, lesson):
    first, second = CourseFactory.create_batch(2, owner=author, published=True)
    path = f"lessons/{lesson.pk}"
    at_once(
        lambda: api(author).patch(path, {"course_id": first.pk}),
        lambda: api(author).patch(path, {"course_id": second.pk}),
        before_writing=Lesson,
    )
    left = lesson.course
    lesson.refresh_from_db()
    assert lesson.course == second
    told = CourseChange.objects.order_by("course", "pk").values_list("course", "kind")
    assert list(told) == [
        (left.pk, "lesson_removed"),
        (first.pk, "lesson_added"),
        (first.pk, "lesson_removed"),
        (second.pk, "lesson_added"),
    ]


@pytest.mark.postgresql
def test_a_lesson_that_is_deleted_while_it_is_moved_is_missed_where_it_was_last(
    api, author, lesson
):
    other = CourseFactory.create(owner=author, published=True)
    path = f"lessons/{lesson.pk}"
    at_once(
        lambda: api(author).patch(path, {"course_id": other.pk}),
        lambda: api(author).delete(path),
        before_writing=Lesson,
    )
    told = CourseChange.objects.filter(course=other).order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["lesson_added", "lesson_removed"]


def test_two_workers_at_once_tell_collected_changes_once(course):
    long_ago = timezone.now() - timedelta(days=1)
    CourseChange.objects.create(course=course, kind="course_renamed", changed_at=long_ago)
    Course.objects.update(materials_updated_at=long_ago)
    told = at_once(*[updates.tell_collected] * 2, before_writing=CourseUpdate)
    assert sorted(told) == [0, 1]
    assert CourseUpdate.objects.count() == Mailing.objects.count() == 1


# --- Access -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_of_grants_at_once_one_is_new(learner, course, lesson, what):
    target = course if what == "course" else lesson
    grant = partial(accesses.grant_access, user=learner, target=target, source=AccessSource.GRANT)
    granted = at_once(*[grant] * 4, before_writing=Access)
    assert sorted(is_new for _access, is_new in granted) == [False] * 3 + [True]
    assert Access.objects.count() == 1


@pytest.mark.parametrize("was", ["never given", "revoked"])
def test_of_grants_by_one_payment_at_once_one_is_new(learner, course, was):
    grant = partial(
        accesses.grant_access,
        user=learner,
        target=course,
        source=AccessSource.PAYMENT,
        reference="payment:1",
    )
    if was == "revoked":
        grant()
        accesses.revoke_access(reference="payment:1", reason="refunded")
    granted = at_once(*[grant] * 4, before_writing=Access)
    assert sorted(is_new for _access, is_new in granted) == [False] * 3 + [True]
    assert Access.objects.active().count() == Access.objects.count() == 1


def test_access_is_taken_back_once(learner, course):
    access, _is_new = accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    outcomes = at_once(
        *[partial(accesses.take_back, access=access, reason="a mistake")] * 2,
        before_writing=Access,
        refused=(accesses.NotRevocable,),
    )
    assert Counter(map(type, outcomes)) == {type(None): 1, accesses.NotRevocable: 1}


def test_who_leaves_while_completing_a_lesson_has_done_it_before_or_not_at_all(
    api, learner, course
):
    lesson = LessonFactory.create(course=course)
    api(learner).post(f"learning/courses/{course.pk}/enrollment")
    left, completed = at_once(
        lambda: api(learner).delete(f"learning/courses/{course.pk}/enrollment"),
        lambda: api(learner).put(f"learning/lessons/{lesson.pk}/completion"),
        before_writing=Access,
    )
    assert left.status_code == 204
    assert not Access.objects.active().exists()
    assert completed.status_code == (200 if Completion.objects.exists() else 403)


def test_who_leaves_and_enrols_at_once_is_in_or_out(api, learner, course):
    path = f"learning/courses/{course.pk}/enrollment"
    api(learner).post(path)
    left, enrolled = at_once(
        lambda: api(learner).delete(path),
        lambda: api(learner).post(path),
        before_writing=Access,
    )
    assert (left.status_code, enrolled.status_code) in {(204, 200), (204, 201)}
    assert Access.objects.active().count() == (enrolled.status_code == 201)


@pytest.mark.parametrize("path", ["learning/courses/{}/enrollment", "courses/{}/subscription"])
def test_who_asks_at_once_is_taken_in_once(api, learner, course, path):
    asked = at_once(*[lambda: api(learner).post(path.format(course.pk))] * 4)
    assert statuses(asked) == {201: 1, 200: 3}
    assert Access.objects.count() + Subscription.objects.count() == 1

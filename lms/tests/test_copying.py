"""Copies of courses, through the API: what they have, what they have not, and their pictures."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from lms.models import Access, AccessSource, Course, Lesson
from lms.services import copying
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from project.common.images import files_of
from project.mail.models import Mailing

pytestmark = pytest.mark.django_db

# What a copy has of its own.
OF_COURSE = {"id", "owner_id", "title", "preview", "is_published", "created_at", "updated_at"}
OF_COURSE |= {"materials_updated_at", "searched"}
OF_LESSON = {"id", "course_id", "preview", "created_at", "updated_at"}


def picture(size: tuple[int, int] = (1000, 500)) -> bytes:
    encoded = BytesIO()
    Image.new("RGB", size, "teal").save(encoded, "PNG")
    return encoded.getvalue()


def kept(row: Any, but: set[str]) -> dict[str, Any]:
    [values] = type(row).objects.filter(pk=row.pk).values()
    return {name: value for name, value in values.items() if name not in but}


def stored() -> set[str]:
    return {
        f"{folder}/{name}"
        for folder in ("courses", "lessons")
        if default_storage.exists(folder)
        for name in default_storage.listdir(folder)[1]
    }


@pytest.fixture
def course(author, api) -> Course:
    """With a picture, as its second lesson; published, sold, learned and subscribed to."""
    course = CourseFactory.create(
        owner=author, title="Bread", description="**Sourdough**", price=1990, published=True
    )
    LessonFactory.create(course=course, title="Flour", description="Rye", price=5, position=0)
    water = LessonFactory.create(course=course, title="Water", is_preview=True, position=1)
    LessonFactory.create(course=course, title="Salt", is_published=False, position=2)
    api(author).upload(f"courses/{course.pk}/preview", picture())
    api(author).upload(f"lessons/{water.pk}/preview", picture())
    subscription = SubscriptionFactory.create(course=course)
    Access.objects.create(user=subscription.user, course=course, source=AccessSource.GRANT)
    course.refresh_from_db()
    return course


@pytest.fixture
def copy(api, author, course) -> Course:
    answer = api(author).post(f"courses/{course.pk}/copy")
    assert answer.status_code == 201, answer.content
    assert answer.json()["title"] == "Bread (copy)"
    return Course.objects.get(pk=answer.json()["id"])


def test_a_copy_has_all_texts_videos_and_prices_in_order(course, copy):
    assert kept(copy, OF_COURSE) == kept(course, OF_COURSE)
    pairs = list(zip(course.lessons.all(), copy.lessons.all(), strict=True))
    assert [lesson.title for lesson, _copy in pairs] == ["Flour", "Water", "Salt"]
    for lesson, copied in pairs:
        assert kept(copied, OF_LESSON) == kept(lesson, OF_LESSON)
        assert copied.pk != lesson.pk
        assert bool(copied.preview) is bool(lesson.preview)


def test_a_copy_is_a_draft_without_people_and_nobody_is_mailed(copy):
    assert copy.is_published is False
    assert not copy.subscriptions.exists()
    assert not copy.accesses.exists()
    assert not Mailing.objects.exists()


def test_the_history_of_a_copy_begins_with_its_creation(api, author, course, copy):
    api(author).patch(f"courses/{course.pk}", {"title": "Cake"})
    changes = api(author).get(f"courses/{copy.pk}/history").json()["items"]
    assert [change["kind"] for change in changes] == ["created"] * 4
    assert {change["by"]["id"] for change in changes} == {author.pk}
    assert {change["lesson_id"] for change in changes} == {
        None,
        *copy.lessons.values_list("pk", flat=True),
    }


def test_what_is_changed_in_a_copy_has_a_before(api, author, copy):
    lesson = copy.lessons.first()
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Wheat"})
    change = api(author).get(f"courses/{copy.pk}/history").json()["items"][0]
    assert change["fields"] == [{"name": "title", "before": "Flour", "after": "Wheat"}]


def test_a_copy_is_found_by_its_words(api, author, copy):
    for words in ("copy sourdough", "anna copy"):
        found = api(author).get(f"courses?search={words}").json()["items"]
        assert [course["id"] for course in found] == [copy.pk]


def test_pictures_are_copied_into_files_of_their_own(
    api, author, course, copy, django_capture_on_commit_callbacks
):
    water = course.lessons.get(title="Water")
    others = [(course, copy, "courses"), (water, copy.lessons.get(title="Water"), "lessons")]
    for original, copied, folder in others:
        own = {*files_of(original.preview.name)}
        new = {*files_of(copied.preview.name)}
        assert len(own) == len(new) == 2
        assert not own & new
        for name in (*own, *new):
            assert default_storage.exists(name)
        with django_capture_on_commit_callbacks(execute=True):
            api(author).delete(f"{folder}/{original.pk}/preview")
        assert {name for name in own | new if default_storage.exists(name)} == new


def test_who_copies_owns_the_copy(api, administrator, course):
    copied = api(administrator).post(f"courses/{course.pk}/copy").json()
    assert copied["owner"]["id"] == administrator.pk


def test_who_may_copy_is_told_by_the_abilities(api, author, administrator, moderator, course):
    rights = {author: True, administrator: True, moderator: False}
    for user, may in rights.items():
        assert api(user).get(f"courses/{course.pk}").json()["abilities"]["copy"] is may


@pytest.mark.parametrize(
    ("title", "copied"),
    [
        ("ж" * 200, "ж" * 193 + " (copy)"),
        # Cut at a word: half of one could look like an address.
        ("ж" * 180 + " node.community", "ж" * 180 + " (copy)"),
        ("Bread (copy)", "Bread (copy) (copy)"),
    ],
)
def test_the_title_says_that_it_is_a_copy(api, author, title, copied):
    course = CourseFactory.create(owner=author, title=title)
    assert api(author).post(f"courses/{course.pk}/copy").json()["title"] == copied


def test_a_russian_author_reads_it_in_russian(api, author):
    course = CourseFactory.create(owner=author, title="Хлеб")
    copied = api(author).post(f"courses/{course.pk}/copy", HTTP_ACCEPT_LANGUAGE="ru")
    assert copied.json()["title"] == "Хлеб (копия)"


def test_copied_texts_lessons_and_pictures_count_as_created(api, author, course, settings):
    path = f"courses/{course.pk}/copy"
    for name, used_up in {"COURSES": 1, "LESSONS": 3, "PICTURES": 2, "TEXT": 4}.items():
        settings.THROTTLE_COURSES = settings.THROTTLE_LESSONS = "1000/d"
        settings.THROTTLE_TEXT = settings.THROTTLE_PICTURES = "1000/d"
        setattr(settings, f"THROTTLE_{name}", f"{used_up + 2}/d")
        before = Course.objects.count(), Lesson.objects.count(), stored()
        statuses = [api(author).post(path).status_code for _time in range(6)]
        assert 429 in statuses, name
        assert Course.objects.count() == before[0] + statuses.count(201)
        assert len(stored()) == len(before[2]) + statuses.count(201) * 4


@pytest.mark.parametrize("room", range(4))
def test_what_fails_half_way_leaves_no_files(author, course, monkeypatch, room):
    before = stored(), Course.objects.count()
    save = FileSystemStorage.save
    saved: list[str] = []

    def fill_up(*arguments: Any, **options: Any) -> str:
        if len(saved) == room:
            raise OSError("No space left")
        saved.append(save(*arguments, **options))
        return saved[-1]

    monkeypatch.setattr(FileSystemStorage, "save", fill_up)
    with pytest.raises(OSError, match="No space left"):
        copying.copy_course(course=course, by=author)
    assert len(saved) == room
    assert (stored(), Course.objects.count()) == before


def test_a_picture_whose_file_is_lost_is_copied_as_none(api, author, course):
    default_storage.delete(course.preview.name)
    answer = api(author).post(f"courses/{course.pk}/copy")
    assert answer.status_code == 201
    assert answer.json()["preview"] is None
    assert answer.json()["lessons"][1]["preview"] is not None


def test_a_picture_from_before_there_were_thumbnails_is_copied(api, author):
    old = ContentFile(picture(), name="old.png")
    course = CourseFactory.create(owner=author, preview=old)
    copied = api(author).post(f"courses/{course.pk}/copy").json()
    name = Course.objects.get(pk=copied["id"]).preview.name
    assert name != course.preview.name
    with default_storage.open(str(name)) as file:
        assert file.read() == picture()


def test_copying_takes_as_many_queries_for_few_lessons_as_for_many(author):
    counts = []
    for number in (2, 20):
        course = CourseFactory.create(owner=author)
        LessonFactory.create_batch(number, course=course)
        with CaptureQueriesContext(connection) as queries:
            copying.copy_course(course=course, by=author)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_staff_copy_a_course_by_a_button(client_of, administrator, course):
    client = client_of(administrator)
    address = reverse("admin:lms_course_copy", args=[course.pk])
    page = reverse("admin:lms_course_change", args=[course.pk])
    assert address in client.get(page).content.decode()
    assert "A copy" not in client.get(address).content.decode()
    assert Course.objects.count() == 1
    answer = client.post(address, {"confirm": "1"}, follow=True)
    copy = Course.objects.latest("pk")
    assert (copy.title, copy.owner) == ("Bread (copy)", administrator)
    link = reverse("admin:lms_course_change", args=[copy.pk])
    assert f'A copy was made: <a class="text-link" href="{link}">' in answer.content.decode()


def test_staff_copy_many_courses_from_the_list(client_of, administrator, author):
    courses = CourseFactory.create_batch(2, owner=author)
    chosen = {"action": "copy_many", "_selected_action": [course.pk for course in courses]}
    client_of(administrator).post(
        reverse("admin:lms_course_changelist"), chosen | {"confirm": "1"}, follow=True
    )
    copies = Course.objects.filter(owner=administrator)
    assert {copy.title for copy in copies} == {f"{course} (copy)" for course in courses}


def test_a_moderator_is_offered_no_copy(client_of, moderator, course):
    address = reverse("admin:lms_course_copy", args=[course.pk])
    client = client_of(moderator)
    page = client.get(reverse("admin:lms_course_change", args=[course.pk])).content.decode()
    assert address not in page
    assert client.post(address, {"confirm": "1"}).status_code == 403
    assert Course.objects.count() == 1


def test_a_copy_of_nothing_but_a_title(api, author):
    course = CourseFactory.create(owner=author, title="Bread", description="")
    copied = api(author).post(f"courses/{course.pk}/copy").json()
    assert (copied["title"], copied["lessons"]) == ("Bread (copy)", [])

"""Pictures of courses and lessons, through the API."""

from io import BytesIO

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from PIL import Image

from lms.tests.factories import LessonFactory

pytestmark = pytest.mark.django_db


def picture(size=(40, 30)):
    encoded = BytesIO()
    Image.new("RGB", size, "teal").save(encoded, "JPEG")
    return encoded.getvalue()


@pytest.fixture(params=["courses", "lessons"])
def subject(request, author):
    """A course or a lesson of the author, with the path of its picture."""
    lesson = LessonFactory.create(course__owner=author)
    thing = {"courses": lesson.course, "lessons": lesson}[request.param]
    return thing, f"{request.param}/{thing.pk}/preview"


def test_a_picture_is_stored_under_a_random_name(api, author, subject):
    thing, path = subject
    response = api(author).upload(path, picture(), name="holiday.jpg")
    assert response.status_code == 200, response.content
    thing.refresh_from_db()
    assert "holiday" not in thing.preview.name
    assert response.json()["preview"] == {
        "url": f"{settings.SITE_URL}{thing.preview.url}",
        "width": 40,
        "height": 30,
        "thumbnail": f"{settings.SITE_URL}{thing.preview.url}",
    }
    assert default_storage.exists(thing.preview.name)


def test_a_replaced_or_removed_picture_leaves_the_storage(
    api, author, subject, django_capture_on_commit_callbacks
):
    thing, path = subject
    names = []
    with django_capture_on_commit_callbacks(execute=True):
        for _upload in range(2):
            api(author).upload(path, picture())
            thing.refresh_from_db()
            names.append(thing.preview.name)
    assert [default_storage.exists(name) for name in names] == [False, True]
    with django_capture_on_commit_callbacks(execute=True):
        assert api(author).delete(path).status_code == 204
        assert api(author).delete(path).status_code == 204
    assert not default_storage.exists(names[1])
    thing.refresh_from_db()
    assert not thing.preview


def files():
    return {
        f"{folder}/{name}"
        for folder in ("courses", "lessons")
        if default_storage.exists(folder)
        for name in default_storage.listdir(folder)[1]
    }


def test_a_thumbnail_comes_and_goes_with_its_picture(
    api, author, subject, django_capture_on_commit_callbacks
):
    _thing, path = subject
    before = files()
    with django_capture_on_commit_callbacks(execute=True):
        shown = api(author).upload(path, picture((2000, 1000))).json()["preview"]
        again = api(author).upload(path, picture((1000, 2000))).json()["preview"]
    assert (shown["width"], shown["height"]) == (1600, 800)
    assert (again["width"], again["height"]) == (800, 1600)
    kept = {address.partition("/media/")[2] for address in (again["url"], again["thumbnail"])}
    assert files() - before == kept
    assert len(kept) == 2
    with default_storage.open(again["thumbnail"].partition("/media/")[2]) as file:
        assert Image.open(file).size == (240, 480)
    with django_capture_on_commit_callbacks(execute=True):
        api(author).delete(path)
    assert files() == before


def test_a_picture_leaves_the_storage_with_its_course(
    api, author, django_capture_on_commit_callbacks
):
    lesson = LessonFactory.create(course__owner=author)
    names: list[str] = []
    for thing, path in ((lesson, "lessons"), (lesson.course, "courses")):
        api(author).upload(f"{path}/{thing.pk}/preview", picture())
        thing.refresh_from_db()
        names.append(str(thing.preview.name))
    with django_capture_on_commit_callbacks(execute=True):
        assert api(author).delete(f"courses/{lesson.course_id}").status_code == 204
    assert not any(default_storage.exists(name) for name in names)


def test_what_is_no_picture_is_refused(api, author, subject):
    thing, path = subject
    response = api(author).upload(path, b"<svg xmlns='http://www.w3.org/2000/svg'/>", name="a.png")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "invalid_image")
    thing.refresh_from_db()
    assert not thing.preview


def test_a_picture_of_another_author_can_not_be_changed(api, stranger, moderator, subject):
    _thing, path = subject
    assert api(stranger).upload(path, picture()).status_code == 404
    assert api(stranger).delete(path).status_code == 404
    assert api(moderator).upload(path, picture()).status_code == 200
    assert api(moderator).delete(path).status_code == 204

"""Pictures of courses and lessons, through the API."""

from io import BytesIO

import pytest
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
    assert response.json()["preview"] == thing.preview.url
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

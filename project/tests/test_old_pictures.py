"""Pictures from before there were renditions are converted by the worker."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from lms.tests.factories import CourseFactory, LessonFactory
from people.tests.factories import UserFactory
from project.common import images
from project.common.background import tasks
from project.common.old_pictures import convert_pictures

pytestmark = pytest.mark.django_db


@pytest.fixture
def old():
    """A course, a lesson and a person with pictures of the old kind."""
    encoded = BytesIO()
    Image.new("RGB", (2000, 1000), "teal").save(encoded, "JPEG")
    rows: list[Any] = [(CourseFactory.create(), "preview"), (LessonFactory.create(), "preview")]
    rows.append((UserFactory.create(), "avatar"))
    for row, field in rows:
        getattr(row, field).save("holiday.jpg", ContentFile(encoded.getvalue()))
    return rows


def names(rows):
    for row, _field in rows:
        row.refresh_from_db()
    return [getattr(row, field).name for row, field in rows]


def test_old_pictures_become_renditions_and_leave_the_storage(
    old, api, author, django_capture_on_commit_callbacks
):
    before = names(old)
    (course, _field), *_rest = old
    assert api(course.owner).get(f"courses/{course.pk}").json()["preview"] is None
    changed, entries = course.updated_at, course.history.count()
    with django_capture_on_commit_callbacks(execute=True):
        assert tasks.convert_old_pictures() == {"pictures_converted": 3}
    after = names(old)
    assert [name.partition("-")[2] for name in after] == [
        "1600x800.webp",
        "1600x800.webp",
        "512x512.webp",
    ]
    assert not any(default_storage.exists(name) for name in before)
    assert all(default_storage.exists(name) for name in after)
    shown = api(course.owner).get(f"courses/{course.pk}").json()["preview"]
    assert (shown["width"], shown["height"]) == (1600, 800)
    assert default_storage.exists(shown["thumbnail"].partition("/media/")[2])
    assert (course.updated_at, course.history.count()) == (changed, entries)
    assert tasks.convert_old_pictures() == {"pictures_converted": 0}
    assert names(old) == after


@pytest.mark.parametrize("fault", ["missing", "broken"])
def test_a_file_that_is_missing_or_broken_holds_up_no_other(old, fault, api):
    (course, _field), *rest = old
    name = course.preview.name
    default_storage.delete(name)
    if fault == "broken":
        default_storage.save(name, ContentFile(b"x"))
    assert convert_pictures(seconds=60).converted == 2
    assert names(old)[0] == name
    assert all(one.endswith(".webp") for one in names(rest))
    assert api(course.owner).get(f"courses/{course.pk}").json()["preview"] is None


def test_a_picture_that_nobody_had_time_to_decode_is_tried_again_later(old, monkeypatch):
    monkeypatch.setattr(images, "PATIENCE", 0.01)
    before = names(old)
    with images._turn:
        assert convert_pictures(seconds=60).converted == 0
    assert names(old) == before
    assert convert_pictures(seconds=60).converted == 3


def test_what_is_left_when_the_time_is_up_is_done_by_another_task(old, run_worker):
    CourseFactory.create_batch(2)
    done = convert_pictures(seconds=-1)
    assert done.converted == 0
    assert done.rest is not None
    field, after = done.rest
    assert convert_pictures(seconds=60, field=field, after=after).converted == 3

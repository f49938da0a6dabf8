"""A picture that was chosen in a form of the admin survives an error."""

import re
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signing import Signer

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.test_admin import FOREIGN, course_form, errors_of, page, picture
from people.tests.factories import UserFactory
from project.common import chosen_pictures, images
from project.common.background.tasks import forget_old_records

pytestmark = pytest.mark.django_db(transaction=True)


def chosen_files(person: Any) -> list[str]:
    storage, folder = storages["private"], f"chosen/{person.pk}"
    return storage.listdir(folder)[1] if storage.exists(folder) else []


def kept_in(response: Any) -> dict[str, str]:
    """What the page sends again of the pictures that were chosen."""
    html = response.content.decode()
    return dict(re.findall(r'name="([\w-]+-chosen)" value="([^"]+)"', html))


@pytest.fixture
def course(author):
    return CourseFactory.create(owner=author, title="Bread")


def refused(client: Any, course: Course, **fields: Any) -> Any:
    """The page after an error in another field."""
    form = course_form(course, preview=picture(), title=FOREIGN) | fields
    response = client.post(page("course_change", course.pk), form)
    assert response.status_code == 200
    return response


def test_a_chosen_picture_is_shown_after_an_error_and_saved_with_the_next_try(
    client_of, moderator, course
):
    client = client_of(moderator)
    response = refused(client, course)
    assert {*errors_of(response)} == {"title"}
    assert "data:image/webp;base64," in response.content.decode()
    again = client.post(
        page("course_change", course.pk), course_form(course, title="") | kept_in(response)
    )
    assert "data:image/webp;base64," in again.content.decode()
    assert len(chosen_files(moderator)) == 1
    saved = client.post(page("course_change", course.pk), course_form(course) | kept_in(again))
    assert saved.status_code == 302
    course.refresh_from_db()
    assert course.preview.name.endswith("-40x30.webp")
    assert chosen_files(moderator) == []


def test_a_lesson_that_is_added_keeps_its_picture_too(client_of, administrator, course):
    client = client_of(administrator)
    form = {"course": course.pk, "title": ""}
    response = client.post(page("lesson_add"), form | {"preview": picture()})
    form |= {"title": "Flour"} | kept_in(response)
    assert client.post(page("lesson_add"), form).status_code == 302
    assert Lesson.objects.get().preview


def test_a_picture_survives_that_somebody_else_saved_first(client_of, moderator, author):
    lesson = LessonFactory.create(course__owner=author)
    client = client_of(moderator)
    form = {"course": lesson.course_id, "title": "Mine", "seen_version": "older"}
    theirs = form | {"preview": picture(50), "seen_version": lesson.version}
    client.post(page("lesson_change", lesson.pk), theirs)
    lesson.refresh_from_db()
    response = client.post(page("lesson_change", lesson.pk), form | {"preview": picture()})
    assert errors_of(response)["__all__"]
    assert f'href="{lesson.preview.url}" target="_blank">picture</a>' in response.content.decode()
    form |= {"seen_version": lesson.version} | kept_in(response)
    assert client.post(page("lesson_change", lesson.pk), form).status_code == 302
    lesson.refresh_from_db()
    assert str(lesson.preview.name).endswith("-40x30.webp")


def test_another_choice_replaces_the_kept_one_unless_it_is_no_picture(client_of, moderator, course):
    client, address = client_of(moderator), page("course_change", course.pk)
    kept = kept_in(refused(client, course))
    bad = SimpleUploadedFile("a.png", b"<svg/>", "image/png")
    response = client.post(address, course_form(course, preview=bad) | kept)
    assert {*errors_of(response)} == {"preview"}
    assert kept_in(response) == kept
    other = client.post(address, course_form(course, preview=picture(50)) | kept)
    assert other.status_code == 302
    course.refresh_from_db()
    assert course.preview.name.endswith("-50x30.webp")


def test_a_kept_picture_can_be_left_out(client_of, moderator, course):
    client = client_of(moderator)
    form = course_form(course) | kept_in(refused(client, course)) | {"preview-leave": "on"}
    assert client.post(page("course_change", course.pk), form).status_code == 302
    course.refresh_from_db()
    assert not course.preview


def test_nobody_gets_a_picture_that_somebody_else_chose(
    client_of, moderator, administrator, course
):
    """Nor by a name that they sign themselves, or make up."""
    (token,) = kept_in(refused(client_of(moderator), course)).values()
    name, _colon, _signature = token.rpartition(":")
    client = client_of(administrator)
    for sent in (token, name, Signer().sign(name), Signer(salt="x").sign("chosen/../db.sqlite3")):
        form = course_form(course) | {"preview-chosen": sent}
        answer = client.post(page("course_change", course.pk), form)
        assert errors_of(answer).get_json_data()["preview"][0]["code"] == "picture_not_kept"
        assert kept_in(answer) == {}
    assert len(chosen_files(moderator)) == 1


def test_what_was_chosen_and_not_saved_is_forgotten_after_a_day(
    client_of, moderator, course, time_machine
):
    time_machine.move_to("2026-03-01 12:00")
    refused(client_of(moderator), course)
    time_machine.move_to("2026-03-02 11:59")
    forget_old_records()
    assert len(chosen_files(moderator)) == 1
    time_machine.move_to("2026-03-02 12:01")
    forget_old_records()
    assert chosen_files(moderator) == []


def test_a_picture_that_is_kept_no_longer_is_not_lost_unsaid(
    client_of, moderator, course, time_machine
):
    time_machine.move_to("2026-03-01 12:00")
    kept = kept_in(refused(client_of(moderator), course))
    time_machine.move_to("2026-03-02 12:01")
    client, form = client_of(moderator), course_form(course, title="Rye") | kept
    answer = client.post(page("course_change", course.pk), form)
    assert "The picture that you chose is not kept any more" in answer.text
    assert Course.objects.get(pk=course.pk).title == "Bread"
    assert kept_in(answer) == {}
    without = form | {"preview-chosen": ""}
    assert client.post(page("course_change", course.pk), without).status_code == 302
    assert Course.objects.get(pk=course.pk).title == "Rye"


def test_of_many_that_one_person_chose_the_latest_are_kept(
    client_of, moderator, course, monkeypatch
):
    monkeypatch.setattr(chosen_pictures, "AT_MOST", 2)
    other = UserFactory.create(is_staff=True, is_superuser=True)
    refused(client_of(other), course)
    client = client_of(moderator)
    tokens = [kept_in(refused(client, course))["preview-chosen"] for _time in range(3)]
    assert len(chosen_files(moderator)) == 2
    assert len(chosen_files(other)) == 1
    assert chosen_pictures.kept(tokens[-1], person_id=moderator.pk)


def chosen(client: Any, **fields: Any) -> Any:
    """What the script of the page sends as soon as a picture is chosen."""
    return client.post(page("lesson_picture"), {"name": "l-preview", "id": "id_l"} | fields).json()


def test_a_picture_is_shown_as_soon_as_it_is_chosen(client_of, moderator, author):
    lesson = LessonFactory.create(course__owner=author)
    client = client_of(moderator)
    html = chosen(client, picture=picture())["html"]
    assert "data:image/webp;base64," in html
    (token,) = re.findall(r'name="l-preview-chosen" value="([^"]+)"', html)
    form = {"course": lesson.course_id, "title": "Flour", "preview-chosen": token}
    assert client.post(page("lesson_change", lesson.pk), form).status_code == 302
    lesson.refresh_from_db()
    assert str(lesson.preview.name).endswith("-40x30.webp")


def test_what_is_no_picture_is_refused_as_soon_as_it_is_chosen(client_of, moderator):
    client = client_of(moderator)
    bad = SimpleUploadedFile("a.png", b"<svg/>", "image/png")
    assert "not a JPEG, PNG or WebP" in chosen(client, picture=bad)["refusal"]
    assert chosen_files(moderator) == []


def test_who_finds_no_turn_is_told_to_come_back(client_of, moderator, monkeypatch):
    monkeypatch.setattr(images, "PATIENCE", 0.01)
    client = client_of(moderator)
    with images._turn:
        refused = client.post(
            page("lesson_picture"), {"name": "p", "id": "p", "picture": picture()}
        )
    assert refused.status_code == 503


def test_what_names_a_field_is_no_html(client_of, moderator):
    html = chosen(client_of(moderator), picture=picture(), name='"><script>', id='"><b>')["html"]
    assert "<script>" not in html
    assert "<b>" not in html


def test_a_form_that_is_larger_than_any_is_refused_before_it_is_read(
    client_of, moderator, settings
):
    for length, status in ((settings.FORM_MAX_BYTES, 403), (settings.FORM_MAX_BYTES + 1, 413)):
        client = client_of(moderator)
        client.handler.enforce_csrf_checks = True  # what is read has no token
        answer = client.post(page("lesson_picture"), {}, CONTENT_LENGTH=str(length))
        assert answer.status_code == status

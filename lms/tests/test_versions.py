"""Nobody's edit is lost: who says which version they have seen is refused when there is another."""

from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any

import pytest
import time_machine
from PIL import Image

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def lesson(author):
    return LessonFactory.create(course__owner=author, course__published=True, title="Flour")


def path_of(lesson: Lesson, kind: str) -> str:
    return f"lessons/{lesson.pk}" if kind == "lesson" else f"courses/{lesson.course_id}"


def picture() -> bytes:
    encoded = BytesIO()
    Image.new("RGB", (4, 3), "teal").save(encoded, "PNG")
    return encoded.getvalue()


def refused(answer: Any) -> bool:
    return (answer.status_code, answer.json().get("code")) == (412, "changed_meanwhile")


KINDS = ["course", "lesson"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_over_somebody_else_s_is_refused(api, author, moderator, lesson, kind):
    path = path_of(lesson, kind)
    seen = api(author).get(path)["ETag"]
    theirs = api(moderator).patch(path, {"title": "Theirs"}, headers={"If-Match": seen})
    assert theirs.status_code == 200
    late = api(author).patch(path, {"title": "Mine"}, headers={"If-Match": seen})
    assert refused(late)
    assert api(author).get(path).json()["title"] == "Theirs"
    again = api(author).patch(path, {"title": "Mine"}, headers={"If-Match": theirs["ETag"]})
    assert again.json()["title"] == "Mine"


@pytest.mark.parametrize("hours", [0, -1])
@pytest.mark.parametrize("kind", KINDS)
def test_each_edit_makes_a_later_version_whatever_the_clock_says(api, author, lesson, kind, hours):
    client, path = api(author), path_of(lesson, kind)
    told = [client.get(path)]
    at = lesson.course.updated_at + timedelta(hours=hours)
    with time_machine.travel(at, tick=False):
        told += [client.patch(path, {"title": title}) for title in ("One", "Two")]
    assert len({answer["ETag"] for answer in told}) == 3
    times = [answer.json()["updated_at"] for answer in told]
    assert times == sorted(times)


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_header_an_edit_is_made_as_before(api, author, lesson, kind):
    for title in ("One", "Two"):
        assert api(author).patch(path_of(lesson, kind), {"title": title}).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_meanwhile_is_neither_deleted_nor_gets_a_picture(api, author, lesson, kind):
    path = path_of(lesson, kind)
    client = api(author)
    old = {"If-Match": client.get(path)["ETag"]}
    client.patch(path, {"title": "Other"})
    assert refused(client.delete(path, headers=old))
    assert refused(client.upload(f"{path}/preview", picture(), headers=old))
    client.upload(f"{path}/preview", picture())
    assert refused(client.delete(f"{path}/preview", headers=old))
    model = Course if kind == "course" else Lesson
    assert model.objects.get(title="Other").preview
    new = {"If-Match": client.get(path)["ETag"]}
    gone = client.delete(f"{path}/preview", headers=new)
    assert gone.status_code == 204
    assert client.delete(path, headers={"If-Match": gone["ETag"]}).status_code == 204


def test_the_lessons_belong_to_the_version_of_their_course(api, author, lesson):
    client = api(author)
    course = f"courses/{lesson.course_id}"
    changes = [
        partial(client.patch, f"lessons/{lesson.pk}", {"title": "Other"}),
        partial(client.upload, f"lessons/{lesson.pk}/preview", picture()),
        partial(client.post, "lessons", {"course_id": lesson.course_id, "title": "New"}),
        partial(client.patch, f"lessons/{lesson.pk}", {"position": 1}),
        partial(client.delete, f"lessons/{lesson.pk}"),
    ]
    for change in changes:
        seen = client.get(course)["ETag"]
        assert change().status_code < 300
        assert refused(client.delete(course, headers={"If-Match": seen}))


def test_an_order_over_another_order_is_refused(api, author, lesson):
    other = LessonFactory.create(course=lesson.course)
    client, path = api(author), f"courses/{lesson.course_id}/lessons/order"
    old = {"If-Match": client.get(f"courses/{lesson.course_id}")["ETag"]}
    order = {"lesson_ids": [other.pk, lesson.pk]}
    assert client.put(path, order, headers=old).status_code == 200
    assert refused(client.put(path, {"lesson_ids": [lesson.pk, other.pk]}, headers=old))


def test_a_lesson_that_others_push_aside_keeps_its_version(api, author, lesson):
    client = api(author)
    seen = client.get(f"lessons/{lesson.pk}")
    client.post("lessons", {"course_id": lesson.course_id, "title": "New", "position": 0})
    now = client.get(f"lessons/{lesson.pk}", headers={"If-None-Match": seen["ETag"]})
    assert now.status_code == 200
    changed = client.patch(
        f"lessons/{lesson.pk}", {"title": "Mine"}, headers={"If-Match": seen["ETag"]}
    )
    assert changed.status_code == 200


def test_what_is_about_the_reader_makes_a_copy_old_but_no_edit_foreign(api, author, lesson):
    client, path = api(author), f"courses/{lesson.course_id}"
    seen = client.get(path)["ETag"]
    client.post(f"{path}/subscription")
    assert client.get(path, headers={"If-None-Match": seen}).json()["is_subscribed"] is True
    changed = client.patch(path, {"title": "Mine"}, headers={"If-Match": seen})
    assert changed.status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_compared_as_rfc_9110_says(api, author, lesson, kind):
    client, path = api(author), path_of(lesson, kind)
    tag = client.get(path)["ETag"]
    good = [tag, "*", f'"other", {tag}', f'W/"x",{tag} , "y"']
    bad = [f"W/{tag}", '"other"', "other", f'"{tag}"', 'W/"a", "b"']
    for value in bad:
        assert refused(client.patch(path, {"title": "x"}, headers={"If-Match": value})), value
    for value in good:
        # The same title changes nothing, so that the version stays.
        answer = client.patch(path, {}, headers={"If-Match": value})
        assert answer.status_code == 200, value
        assert answer["ETag"] == tag


def test_a_compressed_answer_has_a_tag_that_can_be_sent_back(api, author, lesson):
    client, path = api(author), f"courses/{lesson.course_id}"
    LessonFactory.create_batch(5, course=lesson.course)
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert packed["ETag"] not in {client.get(path)["ETag"], f"W/{client.get(path)['ETag']}"}
    known = {"If-None-Match": packed["ETag"], "Accept-Encoding": "gzip"}
    assert client.get(path, headers=known).status_code == 304
    changed = client.patch(path, {"title": "Mine"}, headers={"If-Match": packed["ETag"]})
    assert changed.status_code == 200


def test_answers_of_changes_carry_the_tag_of_what_is_there_now(api, author, lesson):
    client = api(author)
    course, one = f"courses/{lesson.course_id}", f"lessons/{lesson.pk}"
    created = client.post("courses", {"title": "New"})
    assert created["ETag"] == client.get(f"courses/{created.json()['id']}")["ETag"]
    added = client.post("lessons", {"course_id": lesson.course_id, "title": "New"})
    assert added["ETag"] == client.get(f"lessons/{added.json()['id']}")["ETag"]
    for path in (course, one):
        for change in (
            partial(client.patch, path, {"title": "Other"}),
            partial(client.upload, f"{path}/preview", picture()),
        ):
            assert change()["ETag"] == client.get(path)["ETag"]
    ids = list(lesson.course.lessons.order_by("-position").values_list("pk", flat=True))
    ordered = client.put(f"{course}/lessons/order", {"lesson_ids": ids})
    assert ordered["ETag"] == client.get(course)["ETag"]


def test_who_saw_another_version_hears_of_that_before_any_other_obstacle(api, author, lesson):
    PaymentFactory.create(course=lesson.course, paid=True)
    elsewhere = CourseFactory.create(owner=author)
    client, course, one = api(author), f"courses/{lesson.course_id}", f"lessons/{lesson.pk}"
    acts = {
        partial(client.delete, course): 409,
        partial(client.delete, one): 409,
        partial(client.patch, one, {"course_id": elsewhere.pk}): 409,
        partial(client.put, f"{course}/lessons/order", {"lesson_ids": []}): 409,
        partial(client.patch, course, {"description": "https://another.example"}): 422,
        partial(client.patch, one, {"description": "https://another.example"}): 422,
    }
    for act, obstacle in acts.items():
        assert refused(act(headers={"If-Match": '"other"'}))
        assert act().status_code == obstacle


def test_payments_carry_a_tag_too(api, learner):
    payment = PaymentFactory.create(payer=learner)
    tag = api(learner).get(f"payments/{payment.pk}")["ETag"]
    assert api(learner).get(f"payments/{payment.pk}/status")["ETag"] == tag
    course = CourseFactory.create(published=True, price=10)
    asked = api(learner).post("payments", {"course_id": course.pk, "method": "cash"})
    assert asked["ETag"] == api(learner).get(f"payments/{asked.json()['id']}")["ETag"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_tag_does_not_tell_of_what_one_may_not_see_or_do(
    api, author, moderator, stranger, lesson, kind
):
    path, wrong = path_of(lesson, kind), {"If-Match": '"other"'}
    assert api(stranger).patch(path, {"title": "x"}, headers=wrong).status_code == 404
    assert api(moderator).delete(path, headers=wrong).status_code == 403

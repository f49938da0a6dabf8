"""One rule, several doors: the API, the pages of the admin, and the rows of lessons on the page of
their course."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from lms.models import Course, Lesson
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.test_admin import course_form, new_row, page, row_of
from lms.tests.video_cases import EMBED, TAKEN
from lms.tests.video_cases import REFUSED as NO_VIDEOS
from lms.videos import LONGEST_PASTE
from payments.tests.factories import PaymentFactory
from people.models import User

pytestmark = pytest.mark.django_db

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
GOOD_COURSE = {"title": "Rye", "description": "Dark", "price": "9.90", "is_published": True}
GOOD_LESSON = {
    "title": "Rye", "description": "Dark", "video_url": VIDEO, "price": "9.90",
    "is_preview": True, "is_published": True,
}  # fmt: skip
FOREIGN = "See https://evil.example/course"
TOO_FINE = "1.50"  # of a currency without a smaller unit


@pytest.fixture
def lesson(administrator):
    """A lesson in a course, both the administrator's: everything may be done to them."""
    return LessonFactory.create(course__owner=administrator)


class Doors:
    """What their owner, or `who`, sends to make, change or delete a course or lesson."""

    def __init__(self, api: Any, client_of: Any, lesson: Lesson, who: User | None = None) -> None:
        self.owner, self.course, self.lesson = lesson.course.owner, lesson.course, lesson
        self.api, self.client = api(who or self.owner), client_of(who or self.owner)

    def api_new_course(self, fields: dict[str, Any]) -> Any:
        return self.api.post("courses", {"title": "New"} | fields)

    def api_course(self, fields: dict[str, Any]) -> Any:
        return self.api.patch(f"courses/{self.course.pk}", fields)

    def page_of_new_course(self, fields: dict[str, Any]) -> Any:
        form = course_form(None, owner=self.owner.pk, title="New")
        return self.client.post(page("course_add"), form | fields)

    def page_of_course(self, fields: dict[str, Any]) -> Any:
        form = course_form(self.course, (self.lesson,))
        return self.client.post(page("course_change", self.course.pk), form | fields)

    def api_new_lesson(self, fields: dict[str, Any]) -> Any:
        return self.api.post("lessons", {"course_id": self.course.pk, "title": "New"} | fields)

    def api_lesson(self, fields: dict[str, Any]) -> Any:
        return self.api.patch(f"lessons/{self.lesson.pk}", fields)

    def page_of_new_lesson(self, fields: dict[str, Any]) -> Any:
        form = {"course": self.course.pk, "title": "New"}
        return self.client.post(page("lesson_add"), form | fields)

    def page_of_lesson(self, fields: dict[str, Any]) -> Any:
        form = {"course": self.course.pk, "title": self.lesson.title}
        return self.client.post(page("lesson_change", self.lesson.pk), form | fields)

    def new_row(self, fields: dict[str, Any], **form: Any) -> Any:
        return self.page_of_course(form | new_row(**{"title": "New"} | fields))

    def row(self, fields: dict[str, Any], **form: Any) -> Any:
        return self.page_of_course(form | row_of(self.lesson, **fields))

    def delete_page_of_course(self) -> Any:
        form = {"post": "yes", "typed": self.course.title}
        return self.client.post(page("course_delete", self.course.pk), form)

    def delete_page_of_lesson(self) -> Any:
        return self.client.post(page("lesson_delete", self.lesson.pk), {"post": "yes"})

    def in_bulk(self, model: str, action: str) -> Any:
        chosen = self.course if model == "course" else self.lesson
        form = {"action": action, "_selected_action": chosen.pk, "post": "yes"}
        form["typed"] = chosen.title
        return self.client.post(page(f"{model}_changelist"), form)


@pytest.fixture
def doors(api, client_of, lesson):
    return Doors(api, client_of, lesson)


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Course, Lesson)]


BAD_TEXTS = [
    ("title", FOREIGN, "foreign_link"),
    ("title", " ", "string_too_short"),
    ("title", "x" * 201, "string_too_long"),
    ("price", "-1.00", "greater_than_equal"),
    ("price", TOO_FINE, "amount_too_fine"),
    ("price", "49", "price_too_low"),
]
BAD_DESCRIPTIONS = [
    ("description", FOREIGN, "foreign_link"),
    ("description", "x" * 20_001, "string_too_long"),
]
BAD_VIDEOS = [
    ("video_url", "https://vimeo.com/1", "foreign_link"),
    ("video_url", "https://www.youtube.com/@school", "no_video"),
    ("video_url", f"{VIDEO} https://youtu.be/xvFZjo5PgG0", "no_video"),
]
OF_COURSE = ["api_new_course", "api_course", "page_of_new_course", "page_of_course"]
OF_LESSON = ["api_new_lesson", "api_lesson", "page_of_new_lesson", "page_of_lesson"]
IN_ROWS = ["new_row", "row"]
REFUSED = [
    *((door, *bad) for door in OF_COURSE for bad in BAD_TEXTS + BAD_DESCRIPTIONS),
    *(
        (door, *bad)
        for door in OF_LESSON + IN_ROWS
        for bad in BAD_TEXTS + BAD_DESCRIPTIONS + BAD_VIDEOS
    ),
]


@pytest.mark.any_database
@pytest.mark.parametrize(("door", "field", "value", "code"), REFUSED)
def test_a_bad_value_is_refused_at_every_door(doors, settings, door, field, value, code):
    settings.CURRENCY = "JPY"
    before = everything()
    response = getattr(doors, door)({field: value})
    assert everything() == before
    if door.startswith("api"):
        assert response.status_code == 422
        errors = [(error["loc"], error["code"]) for error in response.json()["errors"]]
        assert errors == [(["body", field], code)]
    else:
        assert response.status_code == 200
        form = response.context["adminform"].form
        rows = form.rows.sent.values() if "course" in door or door in IN_ROWS else ()
        assert [*form.errors, *(name for row in rows for name in row.form.errors)] == [field]


@pytest.mark.parametrize("door", OF_COURSE + OF_LESSON + IN_ROWS)
def test_the_highest_charge_of_any_currency_is_kept_at_every_door(doors, settings, door):
    settings.CURRENCY = "IDR"
    response = getattr(doors, door)({"price": "9999999999.99"})
    assert response.status_code in ({200, 201} if door.startswith("api") else {302})
    materials = Course if door in OF_COURSE else Lesson
    assert materials.objects.filter(price="9999999999.99").count() == 1


@pytest.mark.any_database
@pytest.mark.parametrize("door", OF_COURSE + OF_LESSON + IN_ROWS)
@pytest.mark.parametrize(
    ("currency", "price", "limit"),
    [("USD", "0.49", "$0.50"), ("RUB", "1000000", "₽999,999.99")],
)
def test_a_price_that_nobody_can_be_charged_with_is_refused_with_the_limit(
    doors, settings, door, currency, price, limit
):
    settings.CURRENCY = currency
    before = everything()
    response = getattr(doors, door)({"price": price})
    assert everything() == before
    shown = (
        response.json()["errors"][0]["msg"] if door.startswith("api") else response.content.decode()
    )
    assert limit in shown.replace("&nbsp;", "\xa0")


@pytest.mark.parametrize("door", OF_COURSE + OF_LESSON + IN_ROWS)
@pytest.mark.parametrize(
    ("currency", "price"), [("USD", "0.50"), ("RUB", "999999.99"), ("USD", "0")]
)
def test_a_price_within_the_limits_is_taken(doors, settings, door, currency, price):
    settings.CURRENCY = currency
    getattr(doors, door)({"price": price})
    saved = (Course if door in OF_COURSE else Lesson).objects.latest("pk")
    assert saved.price == Decimal(price)


@pytest.mark.parametrize(
    "door", ["api_course", "page_of_course", "api_lesson", "page_of_lesson", "row"]
)
def test_a_price_from_before_a_limit_stays_until_it_is_changed(doors, settings, door):
    settings.CURRENCY = "USD"
    for model in (Course, Lesson):
        model.objects.update(price=Decimal("0.10"))
    kept = {} if door.startswith("api") else {"price": "0.10"}
    getattr(doors, door)({"title": "Renamed"} | kept)
    saved = (Course if door in OF_COURSE else Lesson).objects.latest("pk")
    assert (saved.title, saved.price) == ("Renamed", Decimal("0.10"))


@pytest.mark.parametrize("door", OF_COURSE + OF_LESSON + IN_ROWS)
def test_a_door_saves_all_that_it_takes(doors, door):
    good = GOOD_COURSE if door in OF_COURSE else GOOD_LESSON
    getattr(doors, door)(good)
    saved = (Course if door in OF_COURSE else Lesson).objects.latest("pk")
    expected = good | {"price": Decimal("9.90")}
    assert {name: getattr(saved, name) for name in good} == expected
    assert saved.history.latest().history_user == doors.owner


@pytest.mark.parametrize("door", OF_LESSON + IN_ROWS)
@pytest.mark.parametrize(
    "pasted",
    [
        "youtu.be/dQw4w9WgXcQ",
        "Посмотри это видео: «Хлеб» https://youtu.be/dQw4w9WgXcQ?si=3dPgAhuWSGWYs1tw",
        EMBED.format("dQw4w9WgXcQ?si=3dPgAhuWSGWYs1tw", "х" * 300),
    ],
    ids=["address", "share", "embed"],
)
def test_a_video_has_one_form_however_it_is_pasted_at_whatever_door(doors, door, pasted):
    Lesson.objects.update(video_url="")
    getattr(doors, door)({"video_url": pasted})
    assert Lesson.objects.latest("pk").video_url == VIDEO


PASTES = TAKEN | {
    "": ["", "  ", "\n"],
    **NO_VIDEOS,
    "string_too_long": [f"{VIDEO} {'x' * LONGEST_PASTE}"],
    "null_characters_not_allowed": [f"{VIDEO}\0"],
}


@pytest.mark.any_database
@pytest.mark.parametrize(("came_of_it", "pasted"), PASTES.items(), ids=PASTES)
def test_the_api_and_the_admin_take_and_refuse_the_same_videos(doors, came_of_it, pasted):
    """What is refused leaves the video that was there."""
    before = f"{VIDEO}&t=7s"
    is_taken = not came_of_it or "/" in came_of_it
    stored = came_of_it if is_taken else before
    for text in pasted:
        Lesson.objects.update(video_url=before)
        in_api = doors.api_lesson({"video_url": text})
        assert (in_api.status_code, Lesson.objects.get().video_url) == (
            200 if is_taken else 422,
            stored,
        ), text
        Lesson.objects.update(video_url=before)
        in_admin = doors.page_of_lesson({"video_url": text, "price": ""})
        assert (in_admin.status_code, Lesson.objects.get().video_url) == (
            302 if is_taken else 200,
            stored,
        ), text


@pytest.mark.parametrize("door", ["api_lesson", "page_of_lesson", "row"])
def test_another_spelling_of_the_same_video_is_no_change(doors, door):
    changes = Lesson.history.count()
    kept = {} if door == "api_lesson" else {"price": ""}
    getattr(doors, door)({"video_url": "https://youtu.be/dQw4w9WgXcQ?si=3dPgAhuWSGWYs1tw"} | kept)
    assert Lesson.history.count() == changes


@pytest.mark.parametrize("door", ["api_lesson", "page_of_lesson", "row"])
def test_a_video_from_before_the_rule_stays_until_it_is_changed(doors, door):
    old = "https://www.youtube.com/@school"
    Lesson.objects.update(video_url=old)
    kept = {} if door == "api_lesson" else {"video_url": old}
    getattr(doors, door)({"title": "Renamed"} | kept)
    saved = Lesson.objects.get()
    assert (saved.title, saved.video_url) == ("Renamed", old)


@pytest.mark.parametrize("door", ["page_of_lesson", "row"])
def test_a_page_keeps_what_was_pasted_when_it_refuses_it(doors, door):
    html = getattr(doors, door)({"video_url": "мой канал youtube.com/@school"}).content.decode()
    field = re.search('<input[^>]*value="мой канал youtube.com/@school"[^>]*>', html)
    assert field
    assert 'type="text"' in field[0]
    assert "This leads to no video." in html


# --- Minor edits --------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("door", ["page_of_course", "page_of_lesson", "new_row", "row", "gone"])
def test_a_minor_edit_in_the_admin_is_no_update(doors, door, minor):
    long_ago = timezone.now() - timedelta(days=1)
    Course.objects.update(materials_updated_at=long_ago)
    fields = {"DELETE": "on"} if door == "gone" else {"title": "Rye"}
    mark = {"minor_edit": "on"} if minor else {}
    if door in {"page_of_course", "page_of_lesson"}:
        response = getattr(doors, door)(fields | mark)
    else:
        response = getattr(doors, "row" if door == "gone" else door)(fields, **mark)
    assert response.status_code == 302
    course = Course.objects.get()
    assert (course.materials_updated_at == long_ago) is minor
    assert course.updated_at > long_ago
    assert Lesson.objects.exists() is (door != "gone")


# --- Who may add and delete ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["course", "lesson of the course", "lesson"])
def test_what_is_paid_for_is_not_deleted_by_the_api(api, lesson, administrator, kind):
    whole = kind == "course"
    PaymentFactory.create(
        course=lesson.course if whole else None, lesson=None if whole else lesson, title="Paid"
    )
    before = everything()
    path = f"lessons/{lesson.pk}" if kind == "lesson" else f"courses/{lesson.course_id}"
    response = api(administrator).delete(path)
    assert (response.status_code, response.json()["code"]) == (409, "has_payments")
    assert everything() == before


# What adds or deletes, in the admin.
ADDING = {
    "a course": lambda doors: doors.page_of_new_course({}),
    "a lesson": lambda doors: doors.page_of_new_lesson({}),
    "a row": lambda doors: doors.new_row({}),
}
DELETING = {
    "a course": lambda doors: doors.delete_page_of_course(),
    "courses": lambda doors: doors.in_bulk("course", "delete_selected"),
    "a lesson": lambda doors: doors.delete_page_of_lesson(),
    "lessons": lambda doors: doors.in_bulk("lesson", "delete_selected"),
    "a row": lambda doors: doors.row({"DELETE": "on"}),
}
CHANGING = {
    "a course": lambda doors: doors.page_of_course({"title": "Rye"}),
    "courses": lambda doors: doors.in_bulk("course", "publish"),
    "a lesson": lambda doors: doors.page_of_lesson({"title": "Rye"}),
    "lessons": lambda doors: doors.in_bulk("lesson", "unpublish"),
    "a row": lambda doors: doors.row({"title": "Rye"}),
}
WAYS = [
    pytest.param(way, id=f"{verb} {what}")
    for verb, ways in (("add", ADDING), ("delete", DELETING), ("change", CHANGING))
    for what, way in ways.items()
]


def with_all_rights(user: User) -> User:
    """A member of the staff who has every right of the admin on courses and lessons."""
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="lms"))
    return user


@pytest.mark.parametrize("way", WAYS)
def test_the_owner_of_the_staff_has_every_way(api, client_of, author, way):
    lesson = LessonFactory.create(course__owner=with_all_rights(author))
    before = everything()
    assert way(Doors(api, client_of, lesson)).status_code == 302
    assert everything() != before


@pytest.mark.parametrize("way", WAYS)
def test_whatever_rights_they_have_beside_moderators_change_only(api, client_of, moderator, way):
    """Their own, too: the rights of the admin are no way round the policy."""
    lesson = LessonFactory.create(course__owner=with_all_rights(moderator))
    before = everything()
    way(Doors(api, client_of, lesson))
    assert (everything() != before) is (way in CHANGING.values())


@pytest.mark.parametrize("way", WAYS)
def test_staff_find_no_way_to_what_somebody_else_owns(api, client_of, author, stranger, way):
    lesson = LessonFactory.create(course__owner=author)
    before = everything()
    way(Doors(api, client_of, lesson, with_all_rights(stranger)))
    assert [row for row in everything()[0] if row["owner_id"] == author.pk] == before[0]
    assert everything()[1] == before[1]


def test_a_lesson_is_not_taken_over_to_the_course_of_somebody_else(
    api, client_of, author, stranger
):
    own = LessonFactory.create(course__owner=with_all_rights(stranger))
    foreign = CourseFactory.create(owner=author, published=True)
    before = everything()
    Doors(api, client_of, own).page_of_lesson({"course": foreign.pk})
    assert everything() == before


@pytest.mark.parametrize("right", ["view", "change"])
def test_who_only_looks_puts_nothing_back(client_of, author, right):
    author.is_staff = True
    author.save(update_fields=["is_staff"])
    author.user_permissions.set(
        Permission.objects.filter(codename__in=["view_course", f"{right}_course"])
    )
    course = CourseFactory.create(owner=author, title="Bread")
    authoring.update_course(course=course, changes={"title": "Rye"}, by=author)
    address = page("course_put_back", course.pk, course.history.latest().history_id)
    status = client_of(author).post(address).status_code
    course.refresh_from_db()
    assert (status, course.title) == ((302, "Bread") if right == "change" else (403, "Rye"))


@pytest.mark.parametrize("minor", [False, True])
def test_what_is_put_back_is_an_update_unless_it_is_a_minor_edit(client_of, administrator, minor):
    lesson = LessonFactory.create(title="Flour")
    authoring.update_lesson(lesson=lesson, changes={"title": "Sand"}, by=administrator)
    long_ago = timezone.now() - timedelta(days=1)
    Course.objects.update(materials_updated_at=long_ago)
    address = page("lesson_put_back", lesson.pk, lesson.history.latest().history_id)
    client_of(administrator).post(address, {"minor_edit": "on"} if minor else {})
    assert Lesson.objects.get().title == "Flour"
    assert (Course.objects.get().materials_updated_at == long_ago) is minor

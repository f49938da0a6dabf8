"""Courses and lessons in the admin: the policy of the API, its services, and the history."""

from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from lms.models import Course, Lesson
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from people.models.users import moderators_group
from people.tests.factories import UserFactory

FOREIGN = "See https://evil.example/course"


def course_form(course: Course | None, lessons: tuple[Lesson, ...] = (), **fields: Any) -> Any:
    """What the browser sends from the page of a course on which these lessons are open."""
    form = {
        "title": course.title if course else "Bread",
        "description": course.description if course else "",
        "price": "0.00",
        "lesson_order": ",".join(f"lesson-{lesson.pk}" for lesson in lessons),
    }
    for lesson in lessons:
        form |= row_of(
            lesson,
            title=lesson.title,
            description=lesson.description,
            video_url=lesson.video_url,
            price=lesson.price or "",
            **{"is_preview": "on"} if lesson.is_preview else {},
        )
    return form | fields


def row_of(lesson: Lesson, **fields: Any) -> dict[str, Any]:
    return {f"lesson-{lesson.pk}-{name}": value for name, value in fields.items()}


def new_row(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {f"new-{number}-{name}": value for name, value in fields.items()}


def page(name: str, *args: int | str) -> str:
    return reverse(f"admin:lms_{name}", args=args)


def errors_of(response: Any) -> Any:
    return response.context["adminform"].form.errors


def messages_of(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


# --- Moderators -------------------------------------------------------------------------------


def test_moderator_changes_anybody_s_course_and_lessons(client_of, moderator):
    course = CourseFactory.create(title="Bread")
    lesson = LessonFactory.create(course=course, title="Flour")
    form = course_form(course, (lesson,), title="Better bread") | row_of(lesson, title="Water")
    response = client_of(moderator).post(page("course_change", course.pk), form)
    assert response.status_code == 302
    course.refresh_from_db()
    lesson.refresh_from_db()
    assert (course.title, lesson.title) == ("Better bread", "Water")
    assert course.history.first().history_user == moderator
    assert lesson.history.first().history_user == moderator


def test_a_course_is_saved_although_a_lesson_of_it_was_deleted_meanwhile(client_of, moderator):
    course = CourseFactory.create(title="Bread")
    kept, gone, last = LessonFactory.create_batch(3, course=course)
    form = course_form(course, (kept, gone, last), title="Better bread")
    form |= row_of(kept, title="Flour") | row_of(last, title="Salt")
    gone.delete()
    client = client_of(moderator)
    refused = client.post(page("course_change", course.pk), form | {"title": ""})
    rows = refused.context["adminform"].form.rows.shown
    assert [row.form["title"].value() for row in rows] == ["Flour", "Salt"]
    client.post(page("course_change", course.pk), form)
    course.refresh_from_db()
    assert course.title == "Better bread"
    assert [lesson.title for lesson in course.lessons.order_by("pk")] == ["Flour", "Salt"]


@pytest.mark.parametrize("field", ["title", "description"])
def test_foreign_link_is_refused_at_its_field(client_of, moderator, field):
    course = CourseFactory.create(title="Bread")
    form = course_form(course) | {field: FOREIGN}
    response = client_of(moderator).post(page("course_change", course.pk), form)
    assert field in errors_of(response)
    assert "evil.example" in errors_of(response)[field][0]
    course.refresh_from_db()
    assert course.title == "Bread"


def test_foreign_video_is_refused_in_the_row_of_its_lesson(client_of, moderator):
    lesson = LessonFactory.create()
    form = course_form(lesson.course, (lesson,)) | row_of(lesson, video_url="https://vimeo.com/1")
    response = client_of(moderator).post(page("course_change", lesson.course_id), form)
    [row] = response.context["adminform"].form.rows.shown
    assert "video_url" in row.form.errors


def test_moderator_finds_no_way_to_add_or_delete(client_of, moderator):
    lesson = LessonFactory.create(course__owner=moderator)
    client = client_of(moderator)
    listed = client.get(page("course_changelist")).content.decode()
    response = client.get(page("course_change", lesson.course_id))
    shown = response.content.decode()
    assert "delete_selected" not in listed
    assert page("course_add") not in listed
    assert page("course_delete", lesson.course_id) not in shown
    assert f"lesson-{lesson.pk}-DELETE" not in shown
    assert "Add a lesson" not in shown
    address = page("course_row", lesson.course_id, "new-1")
    assert client.get(address).status_code == 404


def test_moderator_s_forged_rows_add_and_delete_nothing(client_of, moderator):
    lesson = LessonFactory.create()
    form = course_form(lesson.course, (lesson,)) | row_of(lesson, DELETE="on")
    form |= new_row(title="Smuggled")
    client_of(moderator).post(page("course_change", lesson.course_id), form)
    assert list(Lesson.objects.all()) == [lesson]


def test_a_forged_row_tells_nothing_of_a_lesson_of_another_course(client_of, author, moderators):
    author.is_staff = True
    author.save()
    author.user_permissions.add(*Permission.objects.filter(content_type__app_label="lms"))
    foreign = LessonFactory.create(title="Unannounced", is_published=False)
    form = course_form(None) | row_of(foreign, title="Guess")
    for address in (
        page("course_add"),
        page("course_change", CourseFactory.create(owner=author).pk),
    ):
        shown = client_of(author).post(address, form).text
        assert "You had entered: Title: Guess" in shown
        assert "Unannounced" not in shown


def test_a_key_of_a_row_that_no_lesson_can_have_is_none(client_of, administrator):
    client, lesson = client_of(administrator), LessonFactory.create()
    for key in ("lesson-" + "9" * 5000, "lesson-\N{ARABIC-INDIC DIGIT ONE}", "lesson-", "x"):
        form = course_form(lesson.course, lesson_order=f"{key},lesson-{lesson.pk}")
        saved = client.post(page("course_change", lesson.course_id), form)
        assert saved.status_code == 302
        opened = client.get(page("course_row", lesson.course_id, key))
        assert opened.status_code == 404


def test_moderator_can_t_delete_in_bulk(client_of, moderator):
    course = CourseFactory.create()
    form = {"action": "delete_selected", "_selected_action": course.pk, "post": "yes"}
    client_of(moderator).post(page("course_changelist"), form)
    assert Course.objects.filter(pk=course.pk).exists()


def test_moderator_sees_the_public_part_of_an_author_only(client_of, moderator):
    owner = UserFactory.create(first_name="Anna", last_name="Secret", email="anna@hidden.example")
    course = CourseFactory.create(owner=owner)
    client = client_of(moderator)
    for address in (page("course_changelist"), page("course_change", course.pk)):
        text = client.get(address).content.decode()
        assert "Anna" in text
        assert "Secret" not in text
        assert "hidden.example" not in text
    found = client.get(page("course_authors"), {"term": "ann"}).json()["results"]
    assert found == [{"id": str(owner.pk), "text": f"Anna · {owner.pk}"}]
    assert client.get(page("course_authors"), {"term": "hidden"}).json()["results"] == []


# --- Authors and administrators ---------------------------------------------------------------


def test_staff_author_meets_own_courses_only(client_of, author, moderators):
    author.is_staff = True
    author.save(update_fields=["is_staff"])
    author.user_permissions.set(moderators_group().permissions.all())
    own, other = CourseFactory.create(owner=author), CourseFactory.create()
    client = client_of(author)
    assert list(client.get(page("course_changelist")).context["cl"].result_list) == [own]
    assert client.get(page("course_change", own.pk)).status_code == 200
    assert client.get(page("course_change", other.pk)).status_code == 302
    assert client.get(page("course_history", other.pk)).status_code == 404


def test_administrator_adds_a_course_for_somebody_with_its_lessons(
    client_of, administrator, author
):
    form = course_form(None, owner=author.pk) | new_row(1, title="Flour")
    form |= new_row(2, title="Water", video_url="https://youtu.be/dQw4w9WgXcQ")
    response = client_of(administrator).post(page("course_add"), form)
    assert response.status_code == 302
    course = Course.objects.get()
    assert course.owner == author
    lessons = list(course.lessons.values_list("title", "position", "video_url"))
    video = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    assert lessons == [("Flour", 0, ""), ("Water", 1, video)]


def test_dragging_lessons_changes_their_order(client_of, moderator):
    course = CourseFactory.create()
    first = LessonFactory.create(course=course, position=0)
    second = LessonFactory.create(course=course, position=1)
    form = course_form(course, (second, first))
    client_of(moderator).post(page("course_change", course.pk), form)
    assert list(course.lessons.order_by("position")) == [second, first]


def picture(width: int = 40) -> SimpleUploadedFile:
    file = BytesIO()
    Image.new("RGB", (width, 30), "teal").save(file, "JPEG", comment=b"taken at home")
    return SimpleUploadedFile("a.jpg", file.getvalue(), "image/jpeg")


def test_picture_is_cleaned_replaced_and_removed(client_of, moderator):
    course = CourseFactory.create()
    client = client_of(moderator)
    address = page("course_change", course.pk)
    client.post(address, course_form(course, preview=picture()))
    course.refresh_from_db()
    first = course.preview
    with first.open() as stored:
        assert b"taken at home" not in stored.read()
    client.post(address, course_form(course, preview=picture(50)))
    course.refresh_from_db()
    assert course.preview.name != first.name
    client.post(address, course_form(course) | {"preview-clear": "on"})
    course.refresh_from_db()
    assert not course.preview


def test_what_is_no_picture_is_refused_at_its_field(client_of, moderator):
    course = CourseFactory.create()
    upload = SimpleUploadedFile("a.png", b"<svg/>", "image/png")
    response = client_of(moderator).post(
        page("course_change", course.pk), course_form(course, preview=upload)
    )
    assert "preview" in errors_of(response)


def test_lesson_moves_to_a_course_where_one_may_add_lessons(client_of, administrator, moderator):
    lesson, other = LessonFactory.create(), CourseFactory.create()
    form = {"course": other.pk, "title": lesson.title, "video_url": lesson.video_url}
    client_of(moderator).post(page("lesson_change", lesson.pk), form)
    lesson.refresh_from_db()
    assert lesson.course != other
    client_of(administrator).post(page("lesson_change", lesson.pk), form)
    lesson.refresh_from_db()
    assert lesson.course == other


def test_deleting_what_is_not_paid_for_takes_lessons_along(client_of, administrator):
    lesson = LessonFactory.create()
    client = client_of(administrator)
    client.post(
        page("course_delete", lesson.course_id), {"post": "yes", "typed": lesson.course.title}
    )
    assert not Lesson.objects.exists()
    course = CourseFactory.create()
    form = {"action": "delete_selected", "_selected_action": course.pk, "post": "yes"}
    client.post(page("course_changelist"), form | {"typed": course.title})
    assert not Course.objects.exists()


def test_publishing_in_bulk(client_of, moderator):
    drafts = CourseFactory.create_batch(2)
    client = client_of(moderator)
    form = {"_selected_action": [course.pk for course in drafts]}
    response = client.post(page("course_changelist"), form | {"action": "publish"}, follow=True)
    assert "2 courses were published." in messages_of(response)
    assert Course.objects.published().count() == 2
    client.post(page("course_changelist"), form | {"action": "unpublish"})
    assert Course.objects.published().count() == 0


@pytest.mark.parametrize(("minor", "told"), [({}, True), ({"minor_edit": "on"}, False)])
def test_message_says_how_many_subscribers_hear_of_the_change(client_of, moderator, minor, told):
    course = CourseFactory.create(published=True)
    SubscriptionFactory.create_batch(2, course=course)
    before = course.materials_updated_at
    form = course_form(course, title="Better bread", is_published="on", **minor)
    response = client_of(moderator).post(page("course_change", course.pk), form, follow=True)
    assert ("2 subscribers will be notified" in messages_of(response)) is told
    # It was created just now, so that the change is collected.
    assert ("On " in messages_of(response)) is told
    course.refresh_from_db()
    assert (course.materials_updated_at != before) is told


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_page_of_a_course_do_not_grow(
    client_of, administrator, number, django_assert_num_queries
):
    course = CourseFactory.create()
    LessonFactory.create_batch(number, course=course, price=100)
    client = client_of(administrator)
    client.get(page("course_change", course.pk))  # the content type is kept from then on
    # 1 session, 2 person, 3 their log-in, 4 course, 5 lessons, 6 the course once more for its buttons,
    # 7-10 of the head: its owner, its people, sums of its payments and lost disputes.
    with django_assert_num_queries(10):
        client.get(page("course_change", course.pk))


# --- The lists --------------------------------------------------------------------------------


def test_search_and_filters_find_courses(client_of, moderator):
    bread = CourseFactory.create(title="Хлеб дома", published=True, price=500)
    CourseFactory.create(title="Chess")
    client = client_of(moderator)
    for query in (
        {"q": "хлеб"},
        {"is_published__exact": 1},
        {"owner__id__exact": bread.owner_id},
        {"price_from": 100, "price_to": 900},
    ):
        response = client.get(page("course_changelist"), query)
        assert list(response.context["cl"].result_list) == [bread], query


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_lists_do_not_grow(client_of, moderator, number, django_assert_num_queries):
    for course in CourseFactory.create_batch(number):
        LessonFactory.create(course=course)
        SubscriptionFactory.create(course=course)
    client = client_of(moderator)
    # 1 session, 2 person, 3 their log-in, 4 moderator?, 5 own and 6 group rights, 7 count,
    # 8 keys of the page, 9 rows.
    with django_assert_num_queries(9):
        client.get(page("course_changelist"))
    # 10 the name of the course in its filter is not read before somebody chooses one.
    with django_assert_num_queries(9):
        client.get(page("lesson_changelist"))


def test_lists_count_up_to_a_limit(client_of, moderator, monkeypatch):
    monkeypatch.setattr("project.common.admin.lists.COUNTED", 3)
    CourseFactory.create_batch(5)
    text = client_of(moderator).get(page("course_changelist")).content.decode()
    assert "More than" in text


# --- History ----------------------------------------------------------------------------------


def test_history_shows_what_was_struck_out_and_added(client_of, moderator, author):
    course = CourseFactory.create(owner=author, title="Bread at home")
    client_of(moderator).post(
        page("course_change", course.pk), course_form(course, title="Bread at school")
    )
    text = client_of(moderator).get(page("course_history", course.pk)).content.decode()
    assert "Bread at <del>home</del><ins>school</ins>" in text
    assert f"Mira · {moderator.pk}" in text


def test_administrator_puts_back_a_moderator_s_edit(client_of, moderator, administrator):
    lesson = LessonFactory.create(title="Flour", description="Rye")
    form = {"title": "Sand", "description": "Rye", "video_url": lesson.video_url}
    client_of(moderator).post(page("lesson_change", lesson.pk), form)
    change = lesson.history.first()
    address = page("lesson_put_back", lesson.pk, change.history_id)
    client = client_of(administrator)
    assert "Put back: Sand</h1>" in client.get(address).content.decode()
    lesson.refresh_from_db()
    assert lesson.title == "Sand"
    client.post(address)
    lesson.refresh_from_db()
    assert lesson.title == "Flour"
    assert lesson.history.first().history_user == administrator


def test_what_breaks_the_rule_of_links_is_not_put_back(client_of, moderator):
    course = CourseFactory.create(title="Bread", description=FOREIGN)
    authoring.update_course(course=course, changes={"description": ""}, by=moderator)
    address = page("course_put_back", course.pk, course.history.first().history_id)
    response = client_of(moderator).post(address, follow=True)
    assert "evil.example" in messages_of(response)
    course.refresh_from_db()
    assert course.description == ""


def test_creation_and_changes_of_others_are_not_put_back(client_of, moderator):
    course, other = CourseFactory.create(), CourseFactory.create()
    authoring.update_course(course=other, changes={"title": "Other"}, by=moderator)
    client = client_of(moderator)
    for change in (course.history.first(), other.history.first()):
        address = page("course_put_back", course.pk, change.history_id)
        assert client.post(address).status_code == 404


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_history_do_not_grow(
    client_of, moderator, number, django_assert_num_queries
):
    course = CourseFactory.create()
    for turn in range(number):
        authoring.update_course(course=course, changes={"title": f"Bread {turn}"}, by=moderator)
    client = client_of(moderator)
    # 1 session, 2 person, 3 their log-in, 4 and 5 rights, 6 course, 7 moderator?, 8 count, 9 keys of
    # the page, 10 states, 11 states before them.
    with django_assert_num_queries(11):
        client.get(page("course_history", course.pk))

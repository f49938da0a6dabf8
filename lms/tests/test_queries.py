"""What is read without model objects (lms/queries.py) is what the rows say."""

from datetime import datetime
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.db.models import Prefetch

from lms import permissions
from lms.models import Access, AccessSource, Course, Lesson, Subscription
from lms.schemas.materials import VideoOut
from lms.tests.factories import CourseFactory, LessonFactory
from lms.videos import video_at
from people.models import User
from people.tests.factories import UserFactory
from project.common.api.responses import picture_shown

pytestmark = pytest.mark.django_db

ORDERINGS = ["title", "created_at", "updated_at", "price"]
ORDERINGS += [f"-{name}" for name in ORDERINGS]
READERS = ["author", "learner", "moderator", "administrator"]


@pytest.fixture(autouse=True)
def school(author, learner):
    """Every value that a column can have, seen by people with and without rights."""
    nameless = UserFactory.create(first_name="")
    for owner in (author, nameless):
        for number, price in enumerate(["0", "10.50", "99999999.99"]):
            course = CourseFactory.create(
                owner=owner,
                title=["Bread", "ХЛЕБ 100%", "Cheese_"][number],
                description="" if number else "From _sourdough_ to 100% хлеб",
                price=Decimal(price),
                is_published=number != 1,
            )
            LessonFactory.create(course=course, position=2, price=None, is_preview=True)
            LessonFactory.create(course=course, position=1, price=Decimal(3), video_url="")
            LessonFactory.create(course=course, position=3, is_published=False, is_preview=True)
    free, draft, dear = Course.objects.filter(owner=author).order_by("id")
    free.preview.save("900x600.webp", ContentFile(b"x"))
    Subscription.objects.create(user=learner, course=free)
    Access.objects.create(user=learner, course=dear, source=AccessSource.GRANT)
    Access.objects.create(user=learner, lesson=free.lessons.all()[0], source=AccessSource.GRANT)
    Access.objects.create(user=learner, lesson=draft.lessons.all()[0], source=AccessSource.GRANT)


def written(time: datetime) -> str:
    """A time as the API writes it."""
    return time.isoformat().replace("+00:00", "Z")


def common_to_all(thing):
    return {
        "id": thing.pk,
        "title": thing.title,
        "price": None if thing.price is None else f"{thing.price:.2f}",
    }


def material(thing):
    return common_to_all(thing) | {
        "summary": thing.summary,
        "preview": picture_shown(thing.preview),
        "currency": "RUB",
        "updated_at": written(thing.updated_at),
    }


def whole(thing):
    return {"description": thing.description, "description_html": thing.description_html}


def lesson_shown(user, lesson):
    return material(lesson) | {
        "course_id": lesson.course_id,
        "video_url": lesson.video_url or None,
        "video": video_shown(lesson),
        "position": lesson.position,
        "is_preview": lesson.is_preview,
        "is_published": lesson.is_published,
        "abilities": permissions.lesson_abilities(user, lesson),
        "created_at": written(lesson.created_at),
    }


def video_shown(lesson):
    video = video_at(lesson.video_url)
    return video and {name: getattr(video, name) for name in VideoOut.model_fields}


def course_shown(user, course):
    lessons = [lesson_shown(user, one) for one in course.lessons.order_by("position", "id")]
    return material(course) | {
        "is_published": course.is_published,
        "owner": {"id": course.owner_id, "first_name": course.owner.first_name or None},
        "lessons_count": len(lessons),
        "lessons": lessons,
        "is_subscribed": course.is_subscribed,
        "abilities": permissions.course_abilities(user, course),
        "created_at": written(course.created_at),
    }


def catalog_course_shown(course):
    return material(course) | {
        "owner": {"id": course.owner_id, "first_name": course.owner.first_name or None},
        "lessons_count": course.lessons_count,
        "is_subscribed": course.is_subscribed,
        "has_access": course.has_access,
    }


def outline_shown(course):
    return [
        common_to_all(one) | {"position": one.position, "has_access": one.has_access}
        for one in course.lessons.all()
    ]


def reader_of(request, name):
    user = request.getfixturevalue(name)
    return User.objects.with_is_moderator().get(pk=user.pk)


@pytest.mark.parametrize("name", READERS)
def test_courses_are_as_their_rows_say(api, request, name):
    user = reader_of(request, name)
    courses = list(Course.objects.visible_to(user).with_is_subscribed(user).order_by("id"))
    assert len(courses) == {"author": 3, "learner": 0}.get(name, 6)
    items = api(user).get("courses").json()["items"]
    expected = [course_shown(user, course) for course in courses]
    assert sorted(items, key=lambda item: item["id"]) == expected
    details = [api(user).get(f"courses/{course.pk}").json() for course in courses]
    assert details == [course_shown(user, one) | whole(one) for one in courses]


@pytest.mark.parametrize("name", READERS)
def test_lessons_are_as_their_rows_say(api, request, name):
    user = reader_of(request, name)
    lessons = list(Lesson.objects.visible_to(user).order_by("course_id", "position", "id"))
    assert len(lessons) == {"author": 9, "learner": 0}.get(name, 18)
    expected = [lesson_shown(user, lesson) for lesson in lessons]
    items = api(user).get("lessons?page_size=100").json()["items"]
    assert items == expected
    details = [api(user).get(f"lessons/{lesson.pk}").json() for lesson in lessons]
    assert details == [lesson_shown(user, one) | whole(one) for one in lessons]
    course_id = Course.objects.earliest("id").pk
    items = api(user).get(f"lessons?course_id={course_id}").json()["items"]
    assert items == [one for one in expected if one["course_id"] == course_id]


@pytest.mark.parametrize("name", READERS)
def test_the_catalog_is_as_its_rows_say(api, request, name):
    user = reader_of(request, name)
    outline = Prefetch("lessons", Lesson.objects.published().with_has_access(user))
    courses = list(
        Course.objects.published()
        .with_catalog_details(user)
        .prefetch_related(outline)
        .order_by("id")
    )
    assert len(courses) == 4
    items = api(user).get("catalog/courses").json()["items"]
    assert sorted(items, key=lambda item: item["id"]) == [
        catalog_course_shown(course) for course in courses
    ]
    details = [api(user).get(f"catalog/courses/{course.pk}").json() for course in courses]
    assert details == [
        catalog_course_shown(course) | whole(course) | {"lessons": outline_shown(course)}
        for course in courses
    ]


@pytest.mark.parametrize("search", ["", "хлеб", "100%", "_", "bread", "\\", "."])
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_search_and_order_are_those_of_the_querysets(api, moderator, ordering, search):
    user = User.objects.with_is_moderator().get(pk=moderator.pk)
    wanted = Course.objects.visible_to(user).in_order(ordering)
    published = Course.objects.published().in_order(ordering)
    if search:
        wanted, published = wanted.matching(search), published.matching(search)
    query = {"ordering": ordering, "search": search}
    found = api(user).get("courses", data=query).json()
    assert [item["id"] for item in found["items"]] == [course.pk for course in wanted]
    found = api(user).get("catalog/courses", data=query).json()
    assert [item["id"] for item in found["items"]] == [course.pk for course in published]


@pytest.mark.parametrize("name", ["author", "learner", "moderator"])
@pytest.mark.parametrize("free", [None, True, False])
@pytest.mark.parametrize("mine", [True, False])
def test_filters_of_the_catalog_are_those_of_the_querysets(api, request, name, free, mine):
    user = reader_of(request, name)
    wanted = Course.objects.published()
    wanted = wanted.open_to(user) if mine else wanted
    wanted = wanted if free is None else wanted.free(is_free=free)
    query = {"mine": mine} | ({} if free is None else {"free": free})
    found = api(user).get("catalog/courses", data=query).json()
    assert {item["id"] for item in found["items"]} == set(wanted.values_list("pk", flat=True))
    assert found["count"] == wanted.count()


def test_the_second_reader_of_a_role_sees_only_what_is_theirs(api, author):
    """The statement is the same one; only the values differ."""
    others = Course.objects.exclude(owner=author).earliest("id").owner
    for user in (author, others, author):
        items = api(user).get("courses").json()["items"]
        assert {item["owner"]["id"] for item in items} == {user.pk}


@pytest.mark.parametrize("path", ["courses", "lessons", "catalog/courses", "payments"])
def test_an_id_that_no_database_can_have_is_404(api, author, path):
    for number in (2**63 - 1, 2**63, 10**30):
        assert api(author).get(f"{path}/{number}").status_code == 404


def test_client_that_has_the_answer_already_gets_304(api, author):
    course = Course.objects.filter(owner=author).earliest("id")
    first = api(author).get(f"courses/{course.pk}")
    known = {"If-None-Match": first["ETag"]}
    again = api(author).get(f"courses/{course.pk}", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    unchanged = api(author).get(f"courses/{course.pk}", headers={"If-Match": first["ETag"]})
    assert unchanged.json() == first.json()
    api(author).patch(f"courses/{course.pk}", {"title": "Other"})
    changed = api(author).get(f"courses/{course.pk}", headers=known)
    assert changed.status_code == 200
    assert changed.json()["title"] == "Other"
    assert changed["ETag"] != first["ETag"]
    refused = api(author).get(f"courses/{course.pk}", headers={"If-Match": first["ETag"]})
    assert (refused.status_code, refused.json()["code"]) == (412, "changed_meanwhile")


def test_answers_are_compressed_for_who_asks_for_it(api, author):
    plain = api(author).get("courses")
    packed = api(author).get("courses", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 3

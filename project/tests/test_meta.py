"""What visitors without a token may read: the school, and its catalog where that is public."""

from io import BytesIO

import pytest
from PIL import Image

from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.models import PaymentMethod
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_meta_is_read_by_anybody_and_the_same_for_all(api, learner, django_assert_num_queries):
    with django_assert_num_queries(0):
        open_to_all = api(None).get("meta", headers={"Accept-Language": "ru"})
    assert open_to_all.status_code == 200
    assert open_to_all.json() == api(learner).get("meta").json()
    assert open_to_all.json() | {"payment_methods": []} == {
        "school": {
            "name": "Parta",
            "logo": None,
            "colour": "#0f766e",
            "text_colour": "#ffffff",
            "email": None,
            "phone": None,
            "address": None,
            "time_zone": "Europe/Moscow",
        },
        "school_name": "Parta",
        "languages": [{"code": "en", "name": "English"}, {"code": "ru", "name": "Русский"}],
        "currency": "RUB",
        "payment_methods": [],
        "page_size": {"default": 10, "max": 100},
        "pictures": {
            "max_bytes": 5 * 1024 * 1024,
            "max_pixels": 25_000_000,
            "formats": ["image/jpeg", "image/png", "image/webp"],
        },
        "texts": {"title": 200, "description": 20_000, "name": 150, "city": 100},
        "public_catalog": False,
        "is_registration_open": True,
    }


def test_meta_tells_what_the_rules_go_by(api, learner, settings):
    settings.SCHOOL_NAME = "Bread and Salt"
    settings.STRIPE_API_KEY = ""
    meta = api(None).get("meta").json()
    assert meta["school_name"] == "Bread and Salt"
    assert meta["payment_methods"] == [PaymentMethod.CASH, PaymentMethod.TRANSFER]
    settings.STRIPE_API_KEY = "sk_test_x"
    assert api(None).get("meta").json()["payment_methods"] == [*PaymentMethod]
    # One more than it says is refused.
    texts, client = meta["texts"], api(learner)
    for status, more in ((201, 0), (422, 1)):
        body = {name: "x" * (texts[name] + more) for name in ("title", "description")}
        assert client.post("courses", body).status_code == status
    for status, more in ((200, 0), (422, 1)):
        body = {"first_name": "x" * (texts["name"] + more), "city": "x" * (texts["city"] + more)}
        assert client.patch(f"users/{learner.pk}", body).status_code == status
    sizes = meta["page_size"]
    assert client.get("users").json()["page_size"] == sizes["default"]
    assert client.get(f"users?page_size={sizes['max'] + 1}").json()["page_size"] == sizes["max"]
    picture = BytesIO()
    Image.new("RGB", (4, 4)).save(picture, "PNG")
    settings.IMAGE_MAX_PIXELS = 15
    assert api(None).get("meta").json()["pictures"]["max_pixels"] == 15
    assert client.upload("users/me/avatar", picture.getvalue()).status_code == 422


def test_nobody_registers_where_registration_is_closed(api, settings):
    settings.REGISTRATION = False
    assert api(None).get("meta").json()["is_registration_open"] is False
    body = {"email": "anna@school.example", "password": PASSWORD}
    answer = api(None).post("auth/register", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")
    assert not User.objects.exists()


# --- The catalog ------------------------------------------------------------------------------------


@pytest.fixture
def public_catalog(settings):
    settings.PUBLIC_CATALOG = True


@pytest.fixture
def course(author):
    course = CourseFactory.create(owner=author, published=True)
    LessonFactory.create(course=course, is_preview=True)
    LessonFactory.create(course=course)
    return course


def test_a_visitor_finds_published_courses_without_rights(api, author, course, public_catalog):
    draft = CourseFactory.create(owner=author)
    SubscriptionFactory.create(user=author, course=course)
    listed = api(None).get("catalog/courses").json()["items"]
    assert [item["id"] for item in listed] == [course.pk]
    details = api(None).get(f"catalog/courses/{course.pk}").json()
    for shown in (*listed, details):
        assert (shown["has_access"], shown["is_subscribed"]) == (False, False)
    assert [lesson["has_access"] for lesson in details["lessons"]] == [False, False]
    assert api(None).get(f"catalog/courses/{draft.pk}").status_code == 404
    assert api(None).get("catalog/courses?mine=true").json()["items"] == []
    # Who shows a token is a person.
    own = api(author).get(f"catalog/courses/{course.pk}").json()
    assert (own["has_access"], own["is_subscribed"]) == (True, True)
    bad = api(None).get("catalog/courses", headers={"Authorization": "Bearer x"})
    assert bad.status_code == 401


def test_nothing_else_opens_with_the_catalog(api, course, public_catalog):
    assert api(None).get("meta").json()["public_catalog"] is True
    for path in ("courses", "users", f"learning/courses/{course.pk}", f"courses/{course.pk}"):
        assert api(None).get(path).status_code == 401


@pytest.mark.parametrize("path", ["catalog/courses", "catalog/courses/{}"])
def test_the_catalog_is_closed_to_visitors_by_default(api, course, path):
    assert api(None).get(path.format(course.pk)).status_code == 401


def test_visitors_are_counted_by_their_address_and_people_are_not(
    api, learner, course, public_catalog, settings
):
    settings.THROTTLE_CATALOG = "2/min"
    statuses = [api(None).get("catalog/courses").status_code for _call in range(3)]
    assert statuses == [200, 200, 429]
    assert api(None).get(f"catalog/courses/{course.pk}").status_code == 429
    assert api(learner).get("catalog/courses").status_code == 200


def test_no_cache_shows_one_what_another_was_answered(api, learner, course, public_catalog):
    """A cache on the way goes by the address, and by the headers that `Vary` names."""
    path = f"catalog/courses/{course.pk}"
    answers = {
        "public, max-age=60": [api(None).get(path), api(None).get("meta")],
        "private, no-cache": [api(learner).get(path)],
        "no-store": [
            api(learner).get("catalog/courses"),
            api(None).get("users/me"),
            api(learner).get("users/me"),
            api(learner).get("users"),
            api(learner).get(f"users/{learner.pk}"),
            api(learner).get("payments"),
            api(learner).get(f"payments/{PaymentFactory.create(payer=learner).pk}"),
            api(None).post("auth/token", {"email": learner.email, "password": PASSWORD}),
        ],
    }
    for policy, given in answers.items():
        for answer in given:
            assert answer["Cache-Control"] == policy
            assert "Authorization" in answer["Vary"]
    # An ETag that a visitor was given says nothing to a person for whom the answer is another one.
    SubscriptionFactory.create(user=learner, course=course)
    tag = api(None).get(path)["ETag"]
    again = api(learner).get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.json()["is_subscribed"]) == (200, True)

"""Who may learn what, in the admin: looked up, given and taken back by those who may."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from lms.models import Access, AccessSource
from lms.services import accesses, learning
from lms.tests.factories import CourseFactory, LessonFactory


def page(name: str, *args: int) -> str:
    return reverse(f"admin:lms_access_{name}", args=args)


@pytest.fixture
def lesson(db):
    return LessonFactory.create(course__published=True)


def learns(api, person, lesson) -> bool:
    status: int = api(person).get(f"learning/lessons/{lesson.pk}").status_code
    assert status in {200, 403}
    return status == 200


def test_support_gives_access_with_a_reason(client_of, support, learner, api, lesson):
    form = {"user": learner.pk, "lesson": lesson.pk, "reason": "Prize of the contest"}
    assert not learns(api, learner, lesson)
    assert client_of(support).post(page("add"), form).status_code == 302
    access = Access.objects.get()
    assert (access.source, access.given_by) == (AccessSource.GRANT, support)
    assert access.reason == "Prize of the contest"
    assert learns(api, learner, lesson)


def test_a_second_right_of_the_same_kind_is_none(client_of, support, learner, lesson):
    form = {"user": learner.pk, "course": lesson.course_id, "reason": "Prize"}
    for _time in range(2):
        response = client_of(support).post(page("add"), form, follow=True)
    assert "They already had this access." in response.text
    assert Access.objects.count() == 1


@pytest.mark.parametrize("targets", [(), ("course", "lesson")])
def test_access_is_to_a_course_or_to_a_lesson(client_of, support, learner, lesson, targets):
    chosen = {"course": lesson.course_id, "lesson": lesson.pk}
    form = {"user": learner.pk, "reason": "Prize"} | {name: chosen[name] for name in targets}
    response = client_of(support).post(page("add"), form)
    assert "Choose either a course or a lesson." in response.text
    assert not Access.objects.exists()


def test_support_takes_access_back_and_says_why(client_of, support, learner, api, lesson):
    learning.enroll(user=learner, course=lesson.course)
    access = Access.objects.get()
    assert learns(api, learner, lesson)
    response = client_of(support).get(page("revoke", access.pk))
    assert learner.email in response.text
    assert learns(api, learner, lesson)
    client_of(support).post(page("revoke", access.pk), {"reason": "Shared the videos"})
    access.refresh_from_db()
    assert access.revoked_reason == "Shared the videos"
    assert not learns(api, learner, lesson)


def test_taking_back_wants_a_reason(client_of, support, learner, lesson):
    learning.enroll(user=learner, course=lesson.course)
    access = Access.objects.get()
    client_of(support).post(page("revoke", access.pk), {"reason": ""})
    access.refresh_from_db()
    assert access.revoked_at is None


def test_what_a_payment_gave_goes_by_a_refund_only(client_of, support, learner, lesson):
    access, _new = accesses.grant_access(
        user=learner, target=lesson, source=AccessSource.PAYMENT, reference="payment:1"
    )
    client = client_of(support)
    assert page("revoke", access.pk) not in client.get(page("change", access.pk)).text
    response = client.post(page("revoke", access.pk), {"reason": "Try"}, follow=True)
    assert "revoked by a refund" in response.text
    access.refresh_from_db()
    assert access.revoked_at is None


@pytest.mark.parametrize("right", ["add_access", "change_access"])
def test_looking_is_a_right_of_its_own(client_of, support, learner, lesson, right):
    access, _new = accesses.grant_access(user=learner, target=lesson, source=AccessSource.GRANT)
    support.user_permissions.remove(Permission.objects.get(codename=right))
    client = client_of(support)
    assert client.get(page("changelist")).status_code == 200
    address = page("add") if right == "add_access" else page("revoke", access.pk)
    assert client.get(address).status_code == 403


@pytest.mark.parametrize(
    ("chosen", "number"),
    [("", 3), ("?state=active", 2), ("?state=revoked", 1), ("?source__exact=grant", 2)],
)
def test_list_is_filtered_by_state_and_source(
    client_of, support, learner, stranger, chosen, number
):
    course = CourseFactory.create(published=True)
    learning.enroll(user=learner, course=course)
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    revoked, _new = accesses.grant_access(user=stranger, target=course, source=AccessSource.GRANT)
    client_of(support).post(page("revoke", revoked.pk), {"reason": "Mistake"})
    response = client_of(support).get(page("changelist") + chosen)
    assert response.context["cl"].result_count == number


def test_list_is_searched_by_the_learner_s_email(client_of, support, learner, stranger, lesson):
    for person in (learner, stranger):
        accesses.grant_access(user=person, target=lesson, source=AccessSource.GRANT)
    response = client_of(support).get(page("changelist"), {"q": learner.email.upper()})
    assert [access.user for access in response.context["cl"].result_list] == [learner]


@pytest.mark.parametrize("number", [2, 20])
def test_queries_of_the_list_do_not_grow(
    client_of, administrator, django_assert_num_queries, number
):
    for _row in range(number):
        lesson = LessonFactory.create()
        accesses.grant_access(user=lesson.course.owner, target=lesson, source=AccessSource.GRANT)
    client = client_of(administrator)
    # 1 session, 2 administrator, 3 their log-in, 4 count, 5 keys of the page, 6 the rows with what they name.
    with django_assert_num_queries(6):
        client.get(page("changelist"))

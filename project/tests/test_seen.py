"""A question of the admin is answered for what it showed; what can't be undone has to be typed
(docs/rules.md, 13.10 and 13.11). Payments: payments/tests/test_decided_meanwhile.py."""

from html import unescape
from typing import Any

import pytest
from django.apps import apps
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from lms.models import Access, AccessSource
from lms.services import accesses
from lms.tests.factories import CourseFactory
from people.models import BlockReason, User
from people.services import blocks
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


def told(response: Any) -> str:
    said = [str(message) for message in get_messages(response.wsgi_request)]
    return " ".join([*said, unescape(response.text)])


@pytest.fixture
def colleague():
    return UserFactory.create(first_name="Ines", is_staff=True, is_superuser=True)


@pytest.fixture
def from_before(client_of, administrator, colleague):
    """Open a question, let a colleague answer one about the same row, and answer the first one."""

    def answer(opened: str, decided: str, **answers: Any) -> str:
        client = client_of(administrator)
        asked = client.get(opened)
        assert client_of(colleague).post(decided, {"reason": "Mine", **answers}).status_code == 302
        seen = {"seen_state": asked.context["seen"]}
        return told(client.post(opened, {"reason": "My own", **answers, **seen}))

    return answer


@pytest.mark.parametrize("opened", ["block", "keep", "confirm_email"])
def test_what_a_colleague_decided_about_a_person_is_told(from_before, opened):
    person = UserFactory.create(email_confirmed_at=None)
    pages = {
        name: reverse(f"admin:people_user_{name}", args=[person.pk]) for name in (opened, "block")
    }
    before = from_before(pages[opened], pages["block"])
    assert "Block: Mine (Ines, " in before
    person.refresh_from_db()
    assert not person.kept_at
    assert not person.email_confirmed_at


def test_what_people_say_of_themselves_is_no_decision(client_of, administrator):
    person = UserFactory.create()
    address = reverse("admin:people_user_block", args=[person.pk])
    client = client_of(administrator)
    seen = client.get(address).context["seen"]
    User.objects.filter(pk=person.pk).update(city="Kazan", last_login=timezone.now())
    client.post(address, {"reason": "Insults", "seen_state": seen})
    person.refresh_from_db()
    assert not person.is_active


def test_what_the_worker_did_is_told_as_its_own(client_of, administrator):
    person = UserFactory.create()
    address = reverse("admin:people_user_keep", args=[person.pk])
    client = client_of(administrator)
    seen = client.get(address).context["seen"]
    blocks.block(user=person, by=None, reason=BlockReason.INACTIVITY)
    response = client.post(address, {"reason": "Abroad", "seen_state": seen})
    assert "(the worker, " in told(response)


def test_a_right_that_a_colleague_took_back_is_not_taken_twice(from_before):
    access, _is_new = accesses.grant_access(
        user=UserFactory.create(),
        target=CourseFactory.create(published=True),
        source=AccessSource.GRANT,
    )
    address = reverse("admin:lms_access_revoke", args=[access.pk])
    assert "Revoke: Mine (Ines, " in from_before(address, address)
    assert Access.objects.get().revoked_reason == "Mine"


def test_of_a_task_that_a_colleague_started_again_the_list_says_so(from_before):
    task = apps.get_model("django_q.Failure").objects.create(
        id="1" * 32, name="x", func="payments.tasks.reconcile_payments", started=timezone.now(),
        stopped=timezone.now(), success=False,
    )  # fmt: skip
    address = reverse("admin:django_q_failure_try_again", args=[task.pk])
    assert "Try again (Ines, " in from_before(address, address)


def test_another_author_meanwhile_is_told(from_before, colleague):
    course = CourseFactory.create()
    address = reverse("admin:lms_course_change_owner", args=[course.pk])
    assert "Change the author" in from_before(address, address, owner=colleague.pk)


@pytest.mark.parametrize("typed", ["", "other@example.com"])
def test_a_person_is_erased_only_by_who_types_their_address(client_of, administrator, typed):
    person = UserFactory.create()
    address = reverse("admin:people_user_erase", args=[person.pk])
    client = client_of(administrator)
    assert "This can't be undone." in unescape(client.get(address).text)
    answer = {"reason": "Asked for it", "typed": typed}
    assert client.post(address, answer).status_code == 200
    person.refresh_from_db()
    assert person.is_active
    client.post(address, {**answer, "typed": f" {person.email.upper()} "})
    person.refresh_from_db()
    assert not person.is_active


def test_a_question_about_many_names_what_it_leaves_out(client_of, administrator):
    here, blocked = UserFactory.create(first_name="Here"), UserFactory.create(blocked=True)
    answer = client_of(administrator).post(
        reverse("admin:people_user_changelist"),
        {"action": "keep_many", "_selected_action": [here.pk, blocked.pk]},
    )
    assert f"Left out, because it does not fit them: {blocked}." in unescape(answer.text)
    assert f'value="{here.pk}"' in answer.text
    assert f'value="{blocked.pk}"' not in answer.text

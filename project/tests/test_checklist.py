"""The checklist of the first day: administrators see on the dashboard what a school still needs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from lms.tests.factories import CourseFactory, SubscriptionFactory
from payments.models import PaymentMethod
from payments.tests.factories import PaymentFactory
from people.models import User
from project.admin_site.checklist import Checklist
from project.mail.sending import mail_server
from project.school.services import update_school

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

TRIAL = "admin:mail_mailserver_send_test"


@pytest.fixture
def shown(administrator: User, client_of: Any) -> Callable[[], Checklist | None]:
    """The checklist as the dashboard shows it now."""
    client = client_of(administrator)
    return lambda: client.get("/admin/").context["checklist"]


@pytest.fixture
def done(shown: Callable[[], Checklist]) -> Callable[[], list[str]]:
    return lambda: [step.title for step in shown().steps if step.is_done]


def test_each_step_is_ticked_by_what_was_done(
    shown: Any, done: Any, administrator: User, client_of: Any
) -> None:
    assert done() == []
    update_school(changes={"name": "Oak School"})
    assert done() == []
    update_school(changes={"colour": "#7c3aed"})
    assert done() == ["Name and face of the school"]
    update_school(changes={"time_zone": "Europe/Moscow"})
    assert done()[1:] == ["Time zone and currency"]
    sent = client_of(administrator).post(reverse(TRIAL, args=[mail_server().pk]), {"address": ""})
    assert sent.status_code == 302
    assert done()[2:] == ["Emails"]
    course = CourseFactory.create()
    assert done()[3:] == ["First author"]
    course.is_published = True
    course.save()
    assert done()[4:] == ["First course"]
    SubscriptionFactory.create(course=course)
    assert done()[5:] == ["First learner"]
    assert not shown().is_complete
    PaymentFactory.create(paid=True)
    assert shown().is_complete


def test_where_stripe_is_set_up_its_payment_is_tried(settings: Any, done: Any) -> None:
    settings.STRIPE_API_KEY = "sk_test_x"
    PaymentFactory.create(paid=True, method=PaymentMethod.CASH)
    assert "Payments" not in done()
    PaymentFactory.create(paid=True, method=PaymentMethod.STRIPE)
    assert "Payments" in done()


def test_it_is_hidden_and_shown_again(shown: Any, administrator: User, client_of: Any) -> None:
    assert shown() is not None
    hide = reverse("admin:school_school_hide_checklist")
    assert client_of(administrator).post(hide).status_code == 302
    assert shown() is None
    update_school(changes={"shows_checklist": True})
    assert shown() is not None


def test_it_is_for_administrators(moderator: User, client_of: Any) -> None:
    client = client_of(moderator)
    assert client.get("/admin/").context["checklist"] is None
    assert client.post(reverse("admin:school_school_hide_checklist")).status_code == 403


def test_a_school_that_is_not_set_up_does_not_hear_that_all_is_well(
    shown: Any,
    administrator: User,
    moderator: User,
    client_of: Any,
    settings: Any,
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(
        "project.admin_site.dashboard.attention_of", lambda _request: []
    )  # nothing needs attention
    assert "Nothing right now." not in client_of(administrator).get("/admin/").text
    assert "Nothing right now." in client_of(moderator).get("/admin/").text
    update_school(changes={"shows_checklist": False})
    assert "Nothing right now." in client_of(administrator).get("/admin/").text

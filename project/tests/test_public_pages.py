"""The pages that mails lead to, as people see them before any log-in."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from lms.mails import unsubscribe_token
from lms.tests.factories import SubscriptionFactory
from payments.tests.factories import PaymentFactory, RefundFactory
from people.models import Invitation
from people.one_time_links import invitation_link, password_reset_link
from people.tests.factories import UserFactory
from project.common.images import LOGO, clean_image
from project.school.services import update_school
from project.school.tests.factories import png

pytestmark = [
    pytest.mark.browser,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]
FAULTS = (Path(__file__).parent / "page_faults.js").read_text()


@pytest.fixture
def school() -> None:
    update_school(
        changes={
            "name": "Oak " + "W" * 60,
            "colour": "#ffdd00",
            "logo": clean_image(png("navy"), LOGO),
        }
    )


@pytest.mark.parametrize(
    ("language", "scheme"), [("en", "light"), ("en", "dark"), ("ru", "light"), ("ru", "dark")]
)
def test_they_have_the_school_s_face_on_a_phone_too(
    school, browser, live_server, pictures, language, scheme
):
    person = UserFactory.create(language=language, is_staff=True)
    subscription = SubscriptionFactory.create(
        user=person, course__title="Ж" * 200, course__is_published=True
    )
    payment = PaymentFactory.create(payer=person, paid=True, title="W" * 200)
    RefundFactory.create(payment=payment)
    invited = UserFactory.create(language=language)
    invitation = Invitation.objects.create(user=invited, invited_by=person, sent_at=timezone.now())
    unsubscribe = reverse("unsubscribe", args=[unsubscribe_token(person, subscription.course_id)])
    addresses = {
        "unsubscribe": unsubscribe,
        "unsubscribe-unknown": reverse("unsubscribe", args=["x"]),
        "export-gone": reverse("export", args=["x"]),
        "receipt": reverse("payments:receipt", args=[payment.token]),
        "invitation": urlsplit(invitation_link(invitation)).path,
        "password": urlsplit(password_reset_link(person)).path,
    }
    context = browser.new_context(
        base_url=live_server.url,
        locale=language,
        color_scheme=scheme,
        viewport={"width": 320, "height": 640},
    )
    page = context.new_page()
    for name, address in addresses.items():
        page.goto(address)
        pictures(page, f"page-{name}-{language}-{scheme}")
        assert page.evaluate(FAULTS) == [], name
        assert page.locator("html").get_attribute("lang") == language
        assert "Oak" in page.title()
        assert page.locator("img").first.is_visible()
    page.goto(unsubscribe)
    with page.expect_navigation():
        page.get_by_role("button").first.click()
    pictures(page, f"page-unsubscribed-{language}-{scheme}")
    assert page.evaluate(FAULTS) == []
    context.close()

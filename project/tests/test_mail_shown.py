"""A mail as it was sent, in a browser."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from project.mail.models import Delivery
from project.mail.services import send_to_one
from project.mail.tasks import deliver_mail

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_administrator_reads_what_a_person_was_sent(
    page: Page, enter, administrator, learner, sink
):
    send_to_one("password_reset", learner)
    deliver_mail()
    delivery = Delivery.objects.get()
    enter(administrator)
    page.goto(reverse("admin:mail_delivery_change", args=[delivery.pk]))
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("link", name="Choose a new password")).to_have_attribute("href", "•••")
    expect(page.get_by_text("Message-ID")).to_be_visible()
    page.get_by_text("As plain text").click()
    expect(page.locator("pre")).to_contain_text("•••")

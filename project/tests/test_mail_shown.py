"""A mail as it was sent, and a test mail, in a browser."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from project.mail import trials
from project.mail.models import Delivery
from project.mail.services import send_to_one
from project.mail.tasks import deliver_mail

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


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


def test_an_administrator_sends_a_test_and_reads_what_the_server_says(
    page: Page, enter, administrator, sink, monkeypatch
):
    monkeypatch.setattr(trials, "ANSWER_SECONDS", 0.5)
    sink.refused["gone@school.example"] = "550 5.1.1 No such mailbox"
    sink.answers["slow@school.example"] = (2, "250 OK")
    enter(administrator)
    page.goto("/admin/")
    page.get_by_role("link", name="Mail server").click()
    for address, said in (
        ("", "took the email: 250 OK"),
        ("gone@school.example", "refused the email: 550 5.1.1 No such mailbox"),
        ("slow@school.example", "did not answer in time. It has the email and may deliver it."),
    ):
        page.get_by_role("link", name="Send a test email").click()
        page.get_by_label("Email").fill(address)
        page.get_by_role("button", name="Send a test email").click()
        expect(page.get_by_text(said)).to_be_visible()
    assert list(sink.counts) == [administrator.email, "slow@school.example"]

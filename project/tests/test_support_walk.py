"""Support answers "I paid and have no access" in a browser, from the log-in to the mail that closes it."""

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, Response, expect

from lms.tests.factories import LessonFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.models import Role, User
from people.tests.factories import PASSWORD, UserFactory
from project.mail.tasks import deliver_mail

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# From the log-in to the mail that closes the case.
PAGES = 11
ANSWER = "The transfer has not come yet.\n\nYou can learn meanwhile."


@pytest.fixture
def helper(db: None) -> User:
    call_command("loaddata", "fixtures/groups.json", verbosity=0)
    user: User = UserFactory.create(is_staff=True, first_name="Sonja")
    user.groups.add(Role.objects.get(name="support").pk)
    return user


@pytest.fixture
def payment(learner: User) -> Payment:
    lesson = LessonFactory.create(course__published=True, course__title="Bread", course__price=1990)
    return PaymentFactory.create(
        payer=learner, course=lesson.course, title="Bread", method="transfer"
    )


def pages_to_the_payment(page: Page, helper: User, learner: User) -> list[str]:
    """From the log-in by the person who complains; counts those that follow as well."""
    pages: list[str] = []

    def count(answer: Response) -> None:
        if answer.request.is_navigation_request() and answer.ok:
            pages.append(answer.url)

    page.on("response", count)
    page.goto("/admin/")
    page.get_by_label("Email").fill(helper.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="People", exact=True).click()
    page.locator("#searchbar").fill(learner.email)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=learner.email).click()
    expect(page.get_by_text("May learn")).to_be_visible()
    page.get_by_role("link", name="Payments", exact=True).last.click()
    page.locator("#payments-group").get_by_role("link", name="Change").click()
    return pages


def test_support_answers_who_paid_and_has_no_access(
    page: Page, api, helper, payment, sink, pictures
):
    learner = payment.payer
    learns = f"learning/lessons/{payment.course.lessons.get().pk}"
    assert api(learner).get(learns).status_code == 403
    pages = pages_to_the_payment(page, helper, learner)
    expect(page.get_by_text("pending").first).to_be_visible()

    page.get_by_role("link", name="Grant access", exact=True).click()
    page.get_by_label("Reason").fill("Transfer is on its way")
    page.get_by_text("Tell the person why").click()
    pictures(page, "grant")
    page.get_by_role("button", name="Grant access").click()
    expect(page.get_by_text("Access was granted.")).to_be_visible()
    assert api(learner).get(learns).status_code == 200

    page.get_by_role("link", name="Write to the payer", exact=True).click()
    page.get_by_label("Subject").fill("Your course is open")
    page.get_by_label("Text").fill(ANSWER)
    page.get_by_role("button", name="Preview").click()
    mail = page.frame_locator("iframe")
    expect(mail.get_by_text("You can learn meanwhile.")).to_be_visible()
    expect(mail.get_by_role("heading", name="Your course is open")).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.locator("iframe").scroll_into_view_if_needed()
            pictures(page, f"preview-{width}-{scheme}")
    page.get_by_role("button", name="Write to the payer").click()
    expect(page.get_by_text("The message was sent.")).to_be_visible()
    assert len(pages) == PAGES
    deliver_mail()
    deliver_mail()
    access, answer = sink.messages(learner.email)
    assert "Transfer is on its way" in access.get_body(("plain",)).get_content()
    assert answer["Subject"] == "Your course is open"

    page.reload()
    timeline = page.locator(".parta-timeline")
    expect(timeline.get_by_text("Message to the payer: “Your course is open”")).to_be_visible()
    expect(timeline.get_by_text("You can learn meanwhile.")).to_be_visible()
    expect(timeline.get_by_text("Email “message from staff”")).to_contain_text("sent")
    pictures(page, "payment")
    page.goto(f"/admin/people/user/{learner.pk}/change/")
    page.get_by_role("link", name="Emails", exact=True).click()
    expect(page.get_by_text("Message from staff")).to_be_visible()
    pictures(page, "emails")
    page.get_by_role("link", name="Messages", exact=True).click()
    expect(page.get_by_text("You can learn meanwhile.")).to_be_visible()
    pictures(page, "messages")

"""An administrator says in the admin what the school is; buyers, staff and visitors see it."""

from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, Page, expect

from lms.tests.factories import CourseFactory
from people.models import User
from project.tests.test_admin_walk import log_in

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def logo() -> FilePayload:
    picture = Image.new("RGB", (900, 300), "white")
    ImageDraw.Draw(picture).ellipse((20, 20, 280, 280), fill="#7c3aed")
    content = BytesIO()
    picture.save(content, "PNG")
    return {"name": "logo.png", "mimeType": "image/png", "buffer": content.getvalue()}


def test_what_an_administrator_says_of_the_school_is_seen_by_all(
    page: Page,
    administrator: User,
    moderator: User,
    learner: User,
    api: Any,
    client_of: Any,
    run_worker: Any,
    mailoutbox: Any,
) -> None:
    course = CourseFactory.create(published=True, title="Bread", price="1990.00")
    log_in(page, administrator)
    page.locator("#nav-sidebar-apps").get_by_role("link", name="School", exact=True).click()
    page.get_by_label("School name").fill("Oak School")
    page.get_by_label("Logo").set_input_files(logo())
    page.get_by_label("Choose a colour").fill("#7c3aed")
    expect(page.get_by_label("Colour", exact=True)).to_have_value("#7c3aed")
    page.get_by_label("Contact email").fill("desk@oak.example")
    page.get_by_label("How to pay by transfer").fill("Write your name as the purpose.")
    page.get_by_label("Bank details").fill("Account 40702810000000000001")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    expect(page.get_by_label("School name")).to_have_value("Oak School")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("Bank details").first).to_be_visible()

    body = {"course_id": course.pk, "method": "transfer"}
    order = run_worker(lambda: api(learner).post("payments", body)).json()
    said = "Write your name as the purpose.\n\nAccount 40702810000000000001"
    assert order["instructions"] == said
    how_to_pay = mailoutbox.pop().message()
    assert how_to_pay["From"].addresses[0].display_name == "Oak School"
    assert said in how_to_pay.get_body(("plain",)).get_content().replace("\r\n", "\n")

    page.goto(f"/admin/payments/payment/{order['id']}/confirm/")
    page.get_by_label("Reason").fill("It is on the account")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("paid").first).to_be_visible()
    page.goto(urlsplit(api(learner).get(f"payments/{order['id']}").json()["receipt_url"]).path)
    expect(page.get_by_text("desk@oak.example")).to_be_visible()
    assert page.locator("img.logo").evaluate("image => image.naturalWidth") == 640

    page.context.clear_cookies()
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Oak School")).to_be_visible()
    assert page.locator("img.parta-logo").evaluate("image => image.naturalWidth") == 640
    log_in(page, moderator)
    expect(page.get_by_role("link", name="Oak School")).to_be_visible()
    expect(page.get_by_role("link", name="School", exact=True)).to_have_count(0)
    # In the browser it would be an error in the console.
    assert client_of(moderator).get("/admin/school/school/1/change/").status_code == 403

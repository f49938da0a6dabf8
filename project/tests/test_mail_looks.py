"""Mails of every kind, as they arrive from a real mail server and as a browser draws them."""

import re
from collections.abc import Callable
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from django.utils.translation import gettext as _
from playwright.sync_api import Browser

from people.tests.factories import UserFactory
from project.mail.kinds import mail_kinds
from project.mail.models import Delivery, mailing_key
from project.mail.services import send_to_one
from project.mail.tasks import deliver_mail
from project.school.tests.factories import SchoolFactory, png
from project.tests.mail_examples import EXAMPLES

pytestmark = pytest.mark.django_db

TITLES = {
    "plain": "Bread & butter at home",
    "long": "Ж" * 200,
    "hebrew": "לחם ביתי (2026)",
    "arabic": "الخبز في البيت: 2026",
}
CONTACT = "desk@oak.example"
LOGO = "0f9a6c2d7b314e58-640x213.webp"
LINK = re.compile(rf"https?://\S+|{re.escape(CONTACT)}")
BUTTON_HEIGHT = 44
KEY = "example"
# The texts whose contrast is below 4.5 : 1, and what is wider than the screen.
FAULTS = (Path(__file__).parent / "page_faults.js").read_text()


class Parsed(HTMLParser):
    """The visible words and the links of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden = tag in {"style", "title"}
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = False

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.texts.append(data)


@pytest.fixture
def school() -> None:
    """With a colour on which white can't be read."""
    SchoolFactory.create(
        name="Oak School",
        logo=f"logos/{LOGO}",
        colour="#ffdd00",
        email=CONTACT,
        phone="+44 20 7946 0958",
        address="1 Oak Street\nLondon",
        tax_id="7701234567",
    )


@pytest.fixture
def mails(school: None, sink: Any) -> Callable[..., dict[str, EmailMessage]]:
    """Send one of each kind in this language, about things of this title; return what arrived."""

    def send(language: str, title: str) -> dict[str, EmailMessage]:
        for kind, make in EXAMPLES.items():
            person = UserFactory.create(
                language=language, first_name="Lev", email=f"{kind}@oak.example"
            )
            subject_id = make(person, title)
            person.refresh_from_db()
            to = {"other_address": person.new_email} if person.new_email else {}
            send_to_one(kind, person, subject_id=subject_id, key=KEY, **to)
        deliver_mail()
        keys = [mailing_key(kind, KEY) for kind in EXAMPLES]
        unsent = Delivery.objects.filter(mailing__key__in=keys).exclude(status="sent")
        assert list(unsent.values_list("mailing__kind", "error")) == []
        return {kind: sink.messages(f"{kind}@oak.example")[-1] for kind in EXAMPLES}

    return send


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def test_every_kind_has_an_example():
    assert EXAMPLES.keys() == mail_kinds().keys()


@pytest.mark.parametrize("language", ["en", "ru"])
def test_both_parts_say_the_same(mails, language):
    with translation.override(language):
        aside = str(_("If the button doesn't work, open this address:"))
    for kind, message in mails(language, TITLES["plain"]).items():
        text, html = parts(message)
        parsed = Parsed(html)
        addresses = {link.removeprefix("mailto:") for link in parsed.links}
        assert addresses == set(LINK.findall(text)), kind
        spelled, seen = words(LINK.sub("", text)), words(LINK.sub("", " ".join(parsed.texts)))
        assert spelled <= seen, kind
        assert seen <= spelled | words(message["Subject"]) | words(aside), kind
        assert f'lang="{language}"' in html


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


@pytest.mark.any_database
@pytest.mark.browser
@pytest.mark.parametrize(
    ("language", "title"),
    [("en", "plain"), ("ru", "plain"), ("ru", "long"), ("en", "hebrew"), ("ru", "arabic")],
)
def test_every_mail_is_readable_on_any_screen(mails, browser: Browser, pictures, language, title):
    messages = mails(language, TITLES[title])
    context = browser.new_context()
    page = context.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.route(f"**/{LOGO}", lambda route: route.fulfill(body=png("navy").read()))
    for kind, message in messages.items():
        page.set_content(parts(message)[1])
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (320, 640):
                page.set_viewport_size({"width": width, "height": 800})
                pictures(page, f"{kind}-{language}-{title}-{width}-{scheme}")
                assert page.evaluate(FAULTS) == [], (kind, scheme, width)
        # Some readers of mail leave out the styles of the head.
        page.evaluate("document.querySelector('style').remove()")
        page.set_viewport_size({"width": 320, "height": 800})
        pictures(page, f"{kind}-{language}-{title}-320-bare")
        assert page.evaluate(FAULTS) == [], kind
        assert page.title() == message["Subject"]
        assert page.locator(".button").count() == 1
        box = page.locator(".button").bounding_box()
        assert box is not None
        assert box["height"] >= BUTTON_HEIGHT
    context.close()
    # Nothing from elsewhere.
    assert asked == {f"https://parta.school.example/media/logos/{LOGO}"}

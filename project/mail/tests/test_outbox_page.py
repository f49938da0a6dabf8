"""The mails of a development machine, on the page /outbox/."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse

from people.tests.factories import UserFactory
from project.common.kept_files import files_in
from project.environment import mailer
from project.mail.outbox import FOLDER, MAILS_AT_MOST
from project.mail.services import send_to_one
from project.mail.tasks import deliver_mail

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


@pytest.fixture
def outbox(settings, monkeypatch):
    """As it is with DEBUG and without EMAIL_URL, and empty."""
    monkeypatch.setenv("EMAIL_URL", "outboxmail://")
    settings.DEBUG = True
    settings.MAILERS = {"default": mailer("EMAIL_URL", "")}
    settings.MAIL_KINDS = ["people.mails"]
    for name in files_in(FOLDER):
        storages["private"].delete(f"{FOLDER}/{name}")


def send(subject: str, text: str = "", html: str = "", to: str = "lev@school.example") -> str:
    """Send a mail by Django; return the address of its page."""
    message = EmailMultiAlternatives(subject, text, "school@school.example", [to])
    message.attach_alternative(html, "text/html")
    message.send()
    newest = max(files_in(FOLDER))
    return reverse("outbox_mail", args=[newest.removesuffix(".eml")])


def read(address: str) -> str:
    response = Client().get(address)
    assert response.status_code == 200
    return response.content.decode()


def ask_for_a_password() -> None:
    """Have the worker send a mail with a link."""
    send_to_one("password_reset", UserFactory.create(email="lev@school.example", language="en"))
    deliver_mail()


def test_a_mail_is_one_line_in_the_terminal_that_leads_to_its_page(outbox, capsys, settings):
    ask_for_a_password()
    [line] = [one for one in capsys.readouterr().out.splitlines() if "Mail to" in one]
    told, _, address = line.partition(" — ")
    assert told == "Mail to lev@school.example: A new password for Parta"
    page = read(address.removeprefix(settings.SITE_URL))
    assert "lev@school.example" in page
    assert "A new password for Parta" in page
    assert f'<a href="{settings.FRONTEND_URL}/password-reset/' in page


def test_the_newest_mail_comes_first(outbox):
    assert "There are no emails yet" in read("/outbox/")
    first = send("The first", to="lev@school.example")
    second = send("The second", to="mira@school.example")
    page = read("/outbox/")
    places = [
        page.index(one) for one in (second, "The second", "mira@", first, "The first", "lev@")
    ]
    assert places == sorted(places)


def test_the_html_of_a_mail_does_nothing_but_open_tabs(outbox):
    address = send("Bread", html="<html><head></head><body><a href='/x'>x</a></body></html>")
    [frame] = [line for line in read(address).splitlines() if "<iframe" in line]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame
    response = Client().get(f"{address}html/")
    assert '<head><base target="_blank"></head>' in response.content.decode()
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    policy = response["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' data:;"
        " style-src 'unsafe-inline'; frame-ancestors 'self';"
        " sandbox allow-popups allow-popups-to-escape-sandbox"
    )


def test_what_people_wrote_into_a_mail_is_text(outbox, capsys):
    evil = "<script>alert(1)</script>"
    address = send(f"{evil}\x1b[2J", text=evil, to=f'"{evil}" <lev@school.example>')
    assert "\x1b" not in capsys.readouterr().out
    for page in (address, "/outbox/"):
        assert "<script" not in read(page)
        assert "&lt;script&gt;" in read(page)


def test_a_mail_without_parts_has_a_page(outbox):
    storages["private"].save(f"{FOLDER}/1.eml", ContentFile(b"\n"))
    for page in ("/outbox/", "/outbox/1/", "/outbox/1/html/"):
        read(page)


def test_only_the_latest_are_kept(outbox):
    addresses = [send(f"Mail {number}") for number in range(MAILS_AT_MOST + 1)]
    assert len(files_in(FOLDER)) == MAILS_AT_MOST
    assert Client().get(addresses[0]).status_code == 404
    assert "Mail 1<" in read("/outbox/")


@pytest.mark.parametrize("number", ["1", "0", "9" * 300, "9" * 5000, "-1", "..", "x"])
def test_unknown_mail_is_404(outbox, number):
    for page in (f"/outbox/{number}/", f"/outbox/{number}/html/"):
        assert Client().get(page).status_code == 404


def test_without_debug_there_is_no_outbox(outbox, settings):
    address = send("Secret")
    settings.DEBUG = False
    for page in ("/outbox/", address, f"{address}html/"):
        assert Client().get(page).status_code == 404


def test_beside_another_mailer_there_is_no_outbox(outbox, settings, monkeypatch):
    address = send("Secret")
    monkeypatch.setenv("EMAIL_URL", "consolemail://")
    settings.MAILERS = {"default": mailer("EMAIL_URL", "")}
    for page in ("/outbox/", address, f"{address}html/"):
        assert Client().get(page).status_code == 404


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_click_in_the_frame_opens_the_front_in_a_tab_of_its_own(
    outbox, settings, page, live_server
):
    settings.FRONTEND_URL = live_server.url
    ask_for_a_password()
    page.goto("/outbox/")
    page.get_by_role("link", name="A new password for Parta").click()
    with page.context.expect_page() as opened:
        page.frame_locator("iframe").get_by_role("link", name="Choose a new password").click()
    assert opened.value.url.startswith(f"{live_server.url}/password-reset/")

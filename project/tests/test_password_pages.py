"""*Forgot your password?* of the admin's log-in: the same service, counts and silence as the API's."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.urls import reverse
from redis.exceptions import ConnectionError as RedisConnectionError

from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from people.throttles import SHARED

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

ASK, SENT = "/admin/password-reset/", "/admin/password-reset/sent/"
CHOOSE = "/admin/password-reset/new/"
OWN = {"new_password": "a password of my own", "again": "a password of my own"}


def link_of(message: Any) -> str:
    (address,) = re.findall(rf"{settings.SITE_URL}/admin/\S+", str(message.body))
    path: str = urlsplit(address).path
    return path


@pytest.fixture
def link(moderator, run_worker) -> str:
    run_worker(lambda: Client().post(ASK, {"email": moderator.email}))
    return link_of(mail.outbox[0])


@pytest.mark.parametrize("front", ["https://school.example", "https://parta.school.example"])
def test_staff_get_a_new_password_without_any_front_end(moderator, run_worker, settings, front):
    settings.FRONTEND_URL = front
    client = Client()
    assert ASK in client.get(reverse("admin:login")).text
    asked = run_worker(lambda: client.post(ASK, {"email": moderator.email.upper()}, follow=True))
    assert asked.redirect_chain == [(SENT, 302)]
    (message,) = mail.outbox
    assert f"{front}/password-reset" not in message.body
    chosen = client.get(link_of(message), follow=True)
    assert chosen.redirect_chain == [(CHOOSE, 302)]
    done = client.post(CHOOSE, OWN, follow=True)
    assert "You can log in with it now." in done.text
    login = {"username": moderator.email, "password": OWN["new_password"]}
    assert client.post(reverse("admin:login"), login).status_code == 302
    assert client.get("/admin/").status_code == 200


def test_learners_are_led_to_the_front_end(learner, run_worker):
    run_worker(lambda: Client().post(ASK, {"email": learner.email}))
    assert f"{settings.FRONTEND_URL}/password-reset/" in mail.outbox[0].body


def test_the_answer_is_the_same_whether_or_not_there_is_an_account(
    moderator, run_worker, django_assert_num_queries
):
    answers = []
    for email in (moderator.email, "nobody@school.example"):
        client = Client()
        with django_assert_num_queries(1):  # the account; the task comes with the commit
            response = client.post(ASK, {"email": email})
        sent = client.get(response["Location"])
        answers.append((response.status_code, sent.status_code, response.content))
    assert answers[0] == answers[1]


def test_asking_counts_with_the_api(api, moderator, settings):
    """One count for both doors: what one has used up is refused by the other."""
    settings.THROTTLE_RESET = "2/h"
    client = Client()
    for _time in range(2):
        assert client.post(ASK, {"email": moderator.email}).status_code == 302
    refused = client.post(ASK, {"email": moderator.email})
    assert refused.status_code == 200
    assert "Too many attempts." in refused.text
    reset = api(None).post("auth/password/reset", {"email": moderator.email})
    assert reset.status_code == 429


def test_trying_links_counts_with_the_api(api, link, client, settings):
    """From one address: what was tried at the API is refused at the page."""
    settings.THROTTLE_LOGIN = "2/h"
    for token in range(2 * SHARED):
        body = {"uid": "x", "token": str(token), "new_password": OWN["new_password"]}
        assert api(None).post("auth/password/reset/confirm", body).status_code == 409
    client.get(link)
    assert "Too many attempts." in client.post(CHOOSE, OWN).text


def test_using_a_link_counts_at_the_page(link, client, settings):
    client.get(link)
    weak = {"new_password": "password", "again": "password"}
    settings.THROTTLE_LOGIN = "2/h"
    for _time in range(2):
        assert "Too many attempts." not in client.post(CHOOSE, weak).text
    assert "Too many attempts." in client.post(CHOOSE, OWN).text


def test_a_link_works_once_and_ends_all_log_ins(moderator, link, client, client_of):
    other = client_of(moderator)
    client.get(link)
    client.post(CHOOSE, OWN)
    assert other.get("/admin/").status_code == 302
    assert client.get(link, follow=True).status_code == 409
    assert client.post(CHOOSE, OWN).status_code == 409
    assert "This link has already been used" in client.get(CHOOSE).text
    assert User.objects.get(pk=moderator.pk).check_password(OWN["new_password"])


@pytest.mark.parametrize("path", [CHOOSE, "/admin/password-reset/x/y/", "/admin/invitation/x/y/"])
def test_a_link_of_nobody_is_refused_in_words(path):
    response = Client().get(path, follow=True)
    assert response.status_code == 409
    assert "This link is not valid" in response.text


def test_a_weak_password_or_two_that_differ_leave_the_link_good(moderator, link, client):
    client.get(link)
    for new, again in (("password", "password"), (OWN["again"], "another"), ("", "")):
        response = client.post(CHOOSE, {"new_password": new, "again": again})
        assert response.context["form"].errors
        assert User.objects.get(pk=moderator.pk).check_password(PASSWORD)
    assert client.post(CHOOSE, OWN).status_code == 302


def test_a_new_password_lets_nobody_in_whom_staff_has_blocked(link, moderator, client):
    User.objects.filter(pk=moderator.pk).update(is_active=False)
    assert client.get(link, follow=True).status_code == 409  # ended with the block
    blocked = UserFactory.create(is_staff=True, blocked=True)
    login = {"username": blocked.email, "password": PASSWORD}
    assert client.post(reverse("admin:login"), login).status_code == 200


def test_no_page_is_kept_or_tells_the_token(link, client):
    redirect = client.get(link)
    token = link.rstrip("/").rpartition("/")[2]
    assert token not in redirect["Location"]
    cookie = redirect.cookies["mail_link"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", CHOOSE)
    pages = [redirect, client.get(CHOOSE), client.post(CHOOSE, {}), client.get(ASK)]
    pages += [client.get(SENT), client.get("/admin/password-reset/done/")]
    for response in pages:
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "same-origin"
        assert "script-src 'self' 'unsafe-eval'" in response["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
        assert token not in response.text
    done = client.post(CHOOSE, OWN)
    assert done.cookies["mail_link"]["max-age"] == 0


def test_pages_stand_without_a_throttle_that_can_count(moderator, link, client, monkeypatch):
    """Nothing is sent and nothing set while nobody counts; the log-in does the same."""

    def away(*_args: object, **_options: object) -> None:
        raise RedisConnectionError

    client.get(link)
    monkeypatch.setattr("django.core.cache.backends.locmem.LocMemCache.get", away)
    monkeypatch.setattr("django.core.cache.backends.base.BaseCache.get_or_set", away)
    for path, form in ((ASK, {"email": moderator.email}), (CHOOSE, OWN)):
        response = client.post(path, form)
        assert response.status_code == 200
        assert "This is not possible at the moment." in response.text
    assert User.objects.get(pk=moderator.pk).check_password(PASSWORD)


def test_forms_need_a_csrf_token(link):
    client = Client(enforce_csrf_checks=True)
    client.get(link)
    for path, form in ((ASK, {"email": "a@school.example"}), (CHOOSE, OWN)):
        assert client.post(path, form).status_code == 403


def test_failed_log_ins_of_the_admin_count_with_the_api(api, moderator, settings):
    settings.THROTTLE_LOGIN = "2/h"
    client = Client()
    for _time in range(2):
        client.post(reverse("admin:login"), {"username": moderator.email, "password": "wrong"})
    login = {"email": moderator.email, "password": PASSWORD}
    assert api(None).post("auth/token", login).status_code == 429

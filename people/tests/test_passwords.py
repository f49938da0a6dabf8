"""Changing a password, with the old one and by a link."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode
from django_q.models import OrmQ

from people import tasks
from people.links import password_reset_tokens
from people.services import accounts, blocks
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import issue_access_token

pytestmark = pytest.mark.django_db

NEW = "another horse battery"


def log_in(api, user, password):
    return api(None).post("auth/token", {"email": user.email, "password": password}).status_code


def confirm(api, link, password=NEW):
    return api(None).post("auth/password/reset/confirm", link | {"new_password": password})


def test_person_changes_their_password(api, learner):
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert api(learner).post("auth/password/change", body).status_code == 204
    assert log_in(api, learner, PASSWORD) == 401
    assert log_in(api, learner, NEW) == 200


@pytest.mark.parametrize(
    ("old", "new", "field", "code"),
    [
        ("wrong", NEW, "old_password", "password_incorrect"),
        (PASSWORD, "short", "new_password", "password_too_short"),
    ],
)
def test_wrong_old_or_weak_new_password_changes_nothing(api, learner, old, new, field, code):
    body = {"old_password": old, "new_password": new}
    response = api(learner).post("auth/password/change", body)
    assert response.status_code == 422
    error = response.json()["errors"][0]
    assert (error["loc"], error["code"]) == (["body", field], code)
    assert log_in(api, learner, PASSWORD) == 200


def test_nobody_changes_a_password_without_a_token(api, db):
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert api(None).post("auth/password/change", body).status_code == 401


def test_link_gives_a_new_password_once_and_ends_tokens(api, learner, link_by_mail):
    token = issue_access_token(learner)
    link = link_by_mail("password/reset", learner)
    assert confirm(api, link).status_code == 204
    assert log_in(api, learner, NEW) == 200
    headers = {"Authorization": f"Bearer {token}"}
    assert api(None).get("users/me", headers=headers).status_code == 401
    again = confirm(api, link, "third horse battery")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_link")
    assert log_in(api, learner, NEW) == 200


def test_weak_password_leaves_the_link_good(api, learner, link_by_mail):
    link = link_by_mail("password/reset", learner)
    response = confirm(api, link, "short")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "new_password"]
    assert confirm(api, link).status_code == 204


def test_link_ends_with_its_time(api, settings, learner, link_by_mail):
    link = link_by_mail("password/reset", learner)
    lifetime = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT + 1)
    with time_machine.travel(timezone.now() + lifetime):
        assert confirm(api, link).status_code == 409


def test_link_survives_a_refresh_in_another_app(api, learner, link_by_mail):
    pair = api(None).post("auth/token", {"email": learner.email, "password": PASSWORD}).json()
    link = link_by_mail("password/reset", learner)
    assert api(None).post("auth/token/refresh", {"refresh": pair["refresh"]}).status_code == 200
    assert confirm(api, link).status_code == 204


def test_link_is_for_its_account_and_purpose_only(api, learner, stranger, inactive, link_by_mail):
    link = link_by_mail("password/reset", learner)
    other = link_by_mail("password/reset", stranger)
    assert confirm(api, {"uid": other["uid"], "token": link["token"]}).status_code == 409
    reactivation = link_by_mail("reactivation", inactive)
    assert confirm(api, reactivation).status_code == 409
    assert confirm(api, link).status_code == 204


@pytest.mark.parametrize(
    "uid",
    [
        "",
        "!!!",
        "é",
        "A",
        urlsafe_base64_encode(b"-1"),
        urlsafe_base64_encode(b"9" * 40),
        urlsafe_base64_encode(b"\xff\x00"),
        urlsafe_base64_encode("１".encode()),
        urlsafe_base64_encode(b"1_0"),
    ],
)
def test_malformed_uid_is_no_link(api, learner, uid):
    token = password_reset_tokens.make_token(learner)
    response = confirm(api, {"uid": uid, "token": token})
    assert (response.status_code, response.json()["code"]) == (409, "invalid_link")


@pytest.mark.parametrize("token", ["", "x", "-", "zzzzzzzzzzzzzzzz-0", "é-é", "1-2-3"])
def test_malformed_token_is_no_link(api, learner, token):
    uid = urlsafe_base64_encode(str(learner.pk).encode())
    assert confirm(api, {"uid": uid, "token": token}).status_code == 409


def test_answer_and_work_are_the_same_for_an_unknown_email(
    api, learner, django_assert_num_queries, django_capture_on_commit_callbacks
):
    """1: the account; 2: the queue. The worker finds out that there is nobody."""
    for email in (learner.email, "nobody@school.example"):
        with django_assert_num_queries(2), django_capture_on_commit_callbacks(execute=True):
            response = api(None).post("auth/password/reset", {"email": email})
        assert (response.status_code, response.content) == (202, b"")
    assert OrmQ.objects.count() == 2


def test_unknown_email_gets_no_mail(api, run_worker, db):
    run_worker(lambda: api(None).post("auth/password/reset", {"email": "no@school.example"}))
    assert mail.outbox == []


def test_neither_the_link_nor_the_email_waits_in_the_queue(
    api, learner, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        api(None).post("auth/password/reset", {"email": learner.email})
    person, request = OrmQ.objects.get().task["args"]
    assert person == learner.pk
    assert re.fullmatch(r"[0-9a-f]{32}", request)


@pytest.mark.parametrize(
    ("language", "subject"), [("en", "A new password for Parta"), ("ru", None)]
)
def test_mail_is_in_the_persons_language_as_text_and_html(api, run_worker, language, subject):
    user = UserFactory.create(language=language, first_name="<b>O'Neil & Co</b>")
    run_worker(
        lambda: api(None).post(
            "auth/password/reset", {"email": user.email}, headers={"Accept-Language": "de"}
        )
    )
    (message,) = mail.outbox
    assert message.to == [user.email]
    assert subject is None or message.subject == subject
    assert "<b>O'Neil & Co</b>" in message.body
    assert isinstance(message, mail.EmailMultiAlternatives)
    ((content, kind),) = message.alternatives
    html = str(content)
    assert kind == "text/html"
    assert f'<html lang="{language}">' in html
    assert "&lt;b&gt;O&#x27;Neil &amp; Co&lt;/b&gt;" in html
    assert "https://school.example/password-reset/" in html


def test_blocked_account_gets_a_new_password_but_not_in(api, learner, link_by_mail):
    blocks.block(user=learner, by=None)
    assert confirm(api, link_by_mail("password/reset", learner)).status_code == 204
    assert log_in(api, learner, NEW) == 403


def test_block_ends_a_link(api, learner, link_by_mail):
    link = link_by_mail("password/reset", learner)
    blocks.block(user=learner, by=None)
    assert confirm(api, link).status_code == 409


def test_erasure_ends_links_and_mails(api, learner, link_by_mail):
    link = link_by_mail("password/reset", learner)
    accounts.erase_account(user=learner)
    assert confirm(api, link).status_code == 409
    learner.refresh_from_db()
    mail.outbox.clear()
    assert tasks.send_password_reset_mail(learner.pk, "request") == "nobody to write to"
    assert mail.outbox == []


def test_account_without_a_password_gets_its_first_one_by_a_link(api, link_by_mail):
    user = UserFactory.create(password=None)
    assert log_in(api, user, PASSWORD) == 401
    assert confirm(api, link_by_mail("password/reset", user)).status_code == 204
    assert log_in(api, user, NEW) == 200

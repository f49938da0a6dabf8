"""Changing a password, with the old one and by a link."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.utils import timezone
from django.utils.http import base36_to_int, int_to_base36, urlsafe_base64_encode
from django_q.models import OrmQ

from people import tasks
from people.models import BlockReason, User
from people.one_time_links import password_reset_link, password_reset_tokens
from people.services import accounts, blocks
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import issue_access_token

pytestmark = pytest.mark.django_db

NEW = "another horse battery"
BERLIN = ZoneInfo("Europe/Berlin")


def log_in(api, user, password):
    return api(None).post("auth/token", {"email": user.email, "password": password}).status_code


def confirm(api, link, password=NEW):
    return api(None).post("auth/password/reset/confirm", link | {"new_password": password})


def test_person_changes_their_password(api, learner, stranger):
    body = {"old_password": PASSWORD, "new_password": NEW}
    before = User.objects.values().get(pk=stranger.pk)
    assert api(learner).post("auth/password/change", body).status_code == 200
    assert User.objects.values().get(pk=stranger.pk) == before
    assert log_in(api, learner, PASSWORD) == 401
    assert log_in(api, learner, NEW) == 200


def set_another(user):
    user.set_password("third horse battery")
    user.save()


def block(user):
    blocks.block(user=user, by=None)


def erase(user):
    accounts.erase_account(user=user)


@pytest.mark.parametrize("happens", [set_another, block, erase])
def test_password_that_is_changed_while_it_was_compared_is_no_more_the_old_one(
    api, learner, meanwhile, happens
):
    body = {"old_password": PASSWORD, "new_password": NEW}
    caller = api(learner)
    with meanwhile(lambda: happens(User.objects.get(pk=learner.pk))):
        response = caller.post("auth/password/change", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "password_incorrect"
    learner.refresh_from_db()
    assert not learner.check_password(NEW)
    assert learner.check_password("third horse battery") is (happens is set_another)


@pytest.mark.parametrize(
    ("old", "new", "field", "code"),
    [
        ("wrong", NEW, "old_password", "password_incorrect"),
        ("wrong", "short", "old_password", "password_incorrect"),
        (PASSWORD, "short", "new_password", "password_too_short"),
        (PASSWORD, "Petrovskaya", "new_password", "password_too_similar"),
    ],
)
def test_wrong_old_or_weak_new_password_changes_nothing(api, learner, old, new, field, code):
    User.objects.filter(pk=learner.pk).update(last_name="Petrovskaya")
    body = {"old_password": old, "new_password": new}
    response = api(learner).post("auth/password/change", body)
    assert response.status_code == 422
    error = response.json()["errors"][0]
    assert (error["loc"], error["code"]) == (["body", field], code)
    assert log_in(api, learner, PASSWORD) == 200


def test_nobody_changes_a_password_without_a_token(api, db):
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert api(None).post("auth/password/change", body).status_code == 401


def test_link_gives_a_new_password_once_and_ends_tokens(api, learner, stranger, link_by_mail):
    token = issue_access_token(learner)
    link = link_by_mail("password/reset", learner)
    before = User.objects.values().get(pk=stranger.pk)
    assert confirm(api, link).status_code == 204
    assert log_in(api, learner, NEW) == 200
    headers = {"Authorization": f"Bearer {token}"}
    assert api(None).get("users/me", headers=headers).status_code == 401
    again = confirm(api, link, "third horse battery")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_link")
    assert log_in(api, learner, NEW) == 200
    assert User.objects.values().get(pk=stranger.pk) == before


def test_link_names_nobody_who_got_the_number_later(api, learner, link_by_mail):
    """As after a backup was put back, even if everything else about them were the same."""
    link = link_by_mail("password/reset", learner)
    same = User.objects.values("pk", "email", "password", "token_version").get(pk=learner.pk)
    User.objects.all().delete()
    other = User.objects.create(**same)
    assert other.pk == learner.pk
    assert confirm(api, link).json()["code"] == "invalid_link"


def test_link_of_the_release_before_is_good(api, learner, link_by_mail):
    """It names the account by its number."""
    link = link_by_mail("password/reset", learner)
    old = link | {"uid": urlsafe_base64_encode(str(learner.pk).encode())}
    assert confirm(api, old).status_code == 204


@pytest.mark.parametrize("weak", ["short", "Petrovskaya"])
def test_weak_password_leaves_the_link_good(api, learner, link_by_mail, weak):
    User.objects.filter(pk=learner.pk).update(last_name="Petrovskaya")
    link = link_by_mail("password/reset", learner)
    response = confirm(api, link, weak)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "new_password"]
    assert confirm(api, link).status_code == 204


@pytest.mark.parametrize(("seconds", "status"), [(0, 204), (1, 409)])
def test_link_ends_with_its_time(api, settings, learner, link_by_mail, seconds, status):
    settings.PASSWORD_RESET_TIMEOUT = 600
    with time_machine.travel(timezone.now(), tick=False) as clock:
        link = link_by_mail("password/reset", learner)
        clock.shift(600 + seconds)
        assert confirm(api, link).status_code == status


@pytest.mark.parametrize(
    "before",
    [datetime(2026, 3, 29, 1, tzinfo=BERLIN), datetime(2026, 10, 25, 1, tzinfo=BERLIN)],
)
@pytest.mark.parametrize(("seconds", "status"), [(0, 204), (1, 409)])
def test_link_lives_as_long_when_the_clocks_change(
    api, settings, learner, link_by_mail, before, seconds, status
):
    settings.PASSWORD_RESET_TIMEOUT = 7200
    with time_machine.travel(before, tick=False) as clock:  # in that place, too
        link = link_by_mail("password/reset", learner)
        clock.shift(7200 + seconds)
        assert confirm(api, link).status_code == status


@pytest.mark.parametrize(
    "change",
    [
        {"password": "md5$salt$another"},
        {"token_version": 1},
        {"email": "other@school.example"},
        {"is_active": False},
        {"is_active": False, "blocked_at": timezone.now(), "blocked_reason": BlockReason.STAFF},
    ],
)
def test_any_change_of_how_the_account_is_entered_ends_a_link(api, learner, link_by_mail, change):
    """Each by itself, also that of the time of a block by staff."""
    if "blocked_at" in change:
        earlier = {**change, "blocked_at": timezone.now() - timedelta(days=1)}
        User.objects.filter(pk=learner.pk).update(**earlier)
        learner.refresh_from_db()
    link = link_by_mail("password/reset", learner)
    User.objects.filter(pk=learner.pk).update(**change)
    assert confirm(api, link).status_code == 409


def test_link_is_not_of_the_account_that_takes_over_the_email(api, learner, stranger, link_by_mail):
    link = link_by_mail("password/reset", learner)
    User.objects.filter(pk=learner.pk).update(email="gone@school.example")
    takeover = {"email": learner.email, "password": learner.password}
    User.objects.filter(pk=stranger.pk).update(**takeover)
    uid = urlsafe_base64_encode(str(stranger.pk).encode())
    assert confirm(api, link | {"uid": uid}).status_code == 409


def test_time_of_a_link_can_not_be_changed(api, learner, link_by_mail):
    link = link_by_mail("password/reset", learner)
    made, signature = link["token"].split("-")
    later = int_to_base36(base36_to_int(made) + 60)
    assert confirm(api, link | {"token": f"{later}-{signature}"}).status_code == 409


@pytest.mark.parametrize("happens", [set_another, block, erase])
def test_link_that_ends_while_the_new_password_is_looked_at_changes_nothing(
    api, learner, link_by_mail, meanwhile, happens
):
    link = link_by_mail("password/reset", learner)
    with meanwhile(lambda: happens(User.objects.get(pk=learner.pk))):
        response = confirm(api, link)
    assert (response.status_code, response.json()["code"]) == (409, "invalid_link")
    learner.refresh_from_db()
    assert not learner.check_password(NEW)


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


@pytest.mark.parametrize(
    ("operation", "traits", "written"),
    [
        ("password/reset", {}, True),
        ("password/reset", {"blocked": True}, True),
        ("password/reset", {"erased": True}, False),
        ("reactivation", {"inactive": True}, True),
        ("reactivation", {"blocked": True}, False),
        ("reactivation", {}, False),
    ],
)
def test_neither_the_link_nor_the_email_waits_in_the_queue(
    api, django_capture_on_commit_callbacks, operation, traits, written
):
    user = UserFactory.create(**traits)
    with django_capture_on_commit_callbacks(execute=True):
        api(None).post(f"auth/{operation}", {"email": f" {user.email.upper()} "})
    task = OrmQ.objects.get().task
    assert task["func"] == f"people.tasks.send_{operation.replace('/', '_')}_mail"
    person, request = task["args"]
    assert person == (user.pk if written else None)
    assert re.fullmatch(r"[0-9a-f]{32}", request)


@pytest.mark.parametrize(
    ("send", "traits"),
    [(tasks.send_password_reset_mail, {}), (tasks.send_reactivation_mail, {"inactive": True})],
)
def test_a_task_that_is_repeated_sends_no_second_mail(run_worker, send, traits):
    user = UserFactory.create(**{"last_login": timezone.now(), **traits})
    for request in ("first", "first", "second"):
        done = run_worker(lambda request=request: send(user.pk, request))
        assert done == {"mails_written": 1}
    assert [message.to for message in mail.outbox] == [[user.email], [user.email]]


@pytest.mark.parametrize(
    ("language", "subject", "lifetime"),
    [
        ("en", "A new password for Parta", "for 1\xa0hour, 30\xa0minutes"),
        ("ru", "Новый пароль для школы «Parta»", "1\xa0час, 30\xa0минут"),
    ],
)
def test_mail_is_in_the_persons_language_as_text_and_html(
    api, settings, run_worker, language, subject, lifetime
):
    settings.PASSWORD_RESET_TIMEOUT = 5400
    user = UserFactory.create(language=language, first_name="<b>O'Neil & Co</b>")
    run_worker(
        lambda: api(None).post(
            "auth/password/reset", {"email": user.email}, headers={"Accept-Language": "de"}
        )
    )
    (message,) = mail.outbox
    assert message.to == [user.email]
    assert message.subject == subject
    assert lifetime in message.body
    assert isinstance(message, mail.EmailMultiAlternatives)
    ((content, kind),) = message.alternatives
    html = str(content)
    assert kind == "text/html"
    assert f'<html lang="{language}">' in html
    # Anybody can have it sent to anybody: no word in it is one that a person typed.
    assert "O'Neil" not in message.body
    assert "Neil" not in html
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
    uid, token = password_reset_link(learner).split("/")[-2:]
    assert confirm(api, {"uid": uid, "token": token}).status_code == 409
    mail.outbox.clear()
    assert tasks.send_password_reset_mail(learner.pk, "request") == {}
    assert mail.outbox == []


def test_account_without_a_password_gets_its_first_one_by_a_link(api, link_by_mail):
    user = UserFactory.create(password=None)
    assert log_in(api, user, PASSWORD) == 401
    assert confirm(api, link_by_mail("password/reset", user)).status_code == 204
    assert log_in(api, user, NEW) == 200

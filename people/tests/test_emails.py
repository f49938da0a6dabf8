"""Showing that an address is one's own, and having another one instead."""

import re
from datetime import timedelta
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import time_machine
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from lms.models import AccessSource
from lms.services import accesses
from lms.tests.factories import CourseFactory
from payments.tests.factories import PaymentFactory
from people.models import BlockReason, User
from people.one_time_links import email_change_link, invitation_link
from people.services import blocks
from people.services.inactivity import sweep
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_admin import confirmed, page, person_form
from project.mail.kinds import mail_kinds
from project.mail.models import Delivery
from project.mail.services import send_to_one
from project.mail.tasks import deliver_mail
from project.tests.races import at_once, statuses

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ANNA = {"email": "anna@school.example", "password": PASSWORD, "first_name": "Anna"}
NEW = "anna@new.example"


@pytest.fixture
def newcomer(db):
    return UserFactory.create(email=ANNA["email"], email_confirmed_at=None)


@pytest.fixture
def mailed(run_worker):
    """Do something and what it leaves to the worker; return the mails that came of it."""

    def do(call):
        mail.outbox.clear()
        run_worker(call)
        return list(mail.outbox)

    return do


def link_in(message, of="email"):
    found = re.search(rf"https://school\.example/{of}/([^/\s]+)/([^/\s]+)", str(message.body))
    assert found is not None
    return {"uid": found[1], "token": found[2]}


def confirm(api, link):
    return api(None).post("auth/email/confirm", link)


def ask_to_change(api, user, email=NEW, password=PASSWORD):
    return api(user).post("users/me/email", {"email": email, "password": password})


def log_in(api, email, password=PASSWORD):
    return api(None).post("auth/token", {"email": email, "password": password})


def reread(user):
    return User.objects.get(pk=user.pk)


def words_of(message):
    return " ".join(
        [message.subject, str(message.body), *(str(one[0]) for one in message.alternatives)]
    )


# --- Confirmation ---------------------------------------------------------------------------------


def test_a_link_that_comes_with_the_registration_confirms_the_address_once(api, mailed):
    (message,) = mailed(lambda: api(None).post("auth/register", ANNA))
    user = User.objects.get()
    assert message.to == [ANNA["email"]]
    before = api(user).get("users/me")
    assert before.json()["is_email_confirmed"] is False
    assert confirm(api, link_in(message)).status_code == 204
    after = api(user).get("users/me")
    assert after.json()["is_email_confirmed"] is True
    assert after["ETag"] != before["ETag"]
    again = confirm(api, link_in(message))
    assert (again.status_code, again.json()["code"]) == (409, "invalid_link")


def test_a_get_of_the_link_confirms_nothing(api, newcomer, mailed):
    (message,) = mailed(lambda: api(newcomer).post("auth/email/confirmation"))
    assert api(None).get("auth/email/confirm", data=link_in(message)).status_code == 405
    assert not reread(newcomer).is_email_confirmed


@pytest.mark.parametrize("language", ["en", "ru"])
def test_what_goes_to_an_unknown_address_has_no_word_that_a_person_typed(api, mailed, language):
    typed = {name: f"Zyx{name}" for name in ("first_name", "last_name", "city")}
    body = ANNA | typed | {"language": language}
    (confirmation,) = mailed(lambda: api(None).post("auth/register", body))
    (reset,) = mailed(lambda: api(None).post("auth/password/reset", {"email": ANNA["email"]}))
    other = UserFactory.create(language=language, **typed)
    change, _notice = mailed(lambda: ask_to_change(api, other))
    for message in (confirmation, reset, change):
        words = words_of(message)
        assert "Zyx" not in words
        assert message.to[0] not in words
        assert other.email not in words


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"token_version": 7}, 204),
        ({"password": "md5$salt$another"}, 204),
        ({"email": "other@school.example"}, 409),
        ({"email_confirmed_at": timezone.now()}, 409),
    ],
)
def test_a_confirmation_ends_with_its_address_only(api, newcomer, mailed, change, status):
    """Whoever registered somebody else's address can't end the links that its owner gets."""
    (message,) = mailed(lambda: api(newcomer).post("auth/email/confirmation"))
    (reset,) = mailed(lambda: api(None).post("auth/password/reset", {"email": newcomer.email}))
    User.objects.filter(pk=newcomer.pk).update(**change)
    new_password = link_in(reset, "password-reset") | {"new_password": "another horse battery"}
    assert confirm(api, link_in(message)).status_code == status
    User.objects.filter(pk=newcomer.pk).update(email_confirmed_at=change.get("email_confirmed_at"))
    assert api(None).post("auth/password/reset/confirm", new_password).status_code == status


def test_the_link_is_sent_once_in_a_day(api, newcomer, mailed):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert len(mailed(lambda: api(newcomer).post("auth/email/confirmation"))) == 1
        clock.shift(DAY / 4)
        second = api(newcomer).post("auth/email/confirmation")
        assert (second.status_code, second.json()["code"]) == (429, "throttled")
        assert int(second["Retry-After"]) == 18 * 60 * 60
        clock.shift(DAY * 3 / 4)
        assert len(mailed(lambda: api(newcomer).post("auth/email/confirmation"))) == 1


def test_who_confirmed_gets_no_other_link(api, learner, mailed):
    assert mailed(lambda: api(learner).post("auth/email/confirmation")) == []


def test_an_account_may_ask_for_links_so_often(api, newcomer, learner, settings):
    settings.THROTTLE_RESET = "1/h"
    api(newcomer).post("auth/email/confirmation")
    assert ask_to_change(api, newcomer).status_code == 429
    assert reread(newcomer).new_email == ""
    assert ask_to_change(api, learner).status_code == 202


@pytest.mark.parametrize("link", [{"uid": "x", "token": "y"}, {"uid": "", "token": ""}])
def test_what_is_no_link_confirms_nothing(api, newcomer, link):
    assert confirm(api, link).json()["code"] == "invalid_link"


def test_links_of_other_purposes_confirm_nothing(api, newcomer, mailed):
    (reset,) = mailed(lambda: api(None).post("auth/password/reset", {"email": newcomer.email}))
    assert confirm(api, link_in(reset, "password-reset")).status_code == 409
    assert not reread(newcomer).is_email_confirmed


# --- Who counts as confirmed ----------------------------------------------------------------------


def test_administrators_that_a_command_makes_are_confirmed(capsys, db):
    call_command("csu", email=NEW, password=PASSWORD)
    assert User.objects.by_email(NEW).get().is_email_confirmed
    assert mail.outbox == []


def test_who_is_added_by_staff_is_confirmed_when_they_come(client_of, administrator):
    """Their names for the address may have a typo."""
    form = {"email": NEW, "language": "en"}
    assert client_of(administrator).post(page("add"), form).status_code == 302
    added = User.objects.by_email(NEW).get()
    assert not added.is_email_confirmed
    visitor = Client()
    visitor.get(urlsplit(invitation_link(added.invitation)).path)
    own = {"new_password": PASSWORD, "again": PASSWORD}
    assert visitor.post(reverse("admin_invitation"), own).status_code == 302
    assert reread(added).is_email_confirmed


def test_people_of_the_demo_are_confirmed():
    call_command("loaddata", "groups", "demo", verbosity=0)
    enter = User.objects.filter(last_login=None)  # the others have no password
    assert enter.exists()
    assert not enter.filter(email_confirmed_at=None).exists()


def test_accounts_from_before_are_confirmed_by_the_migration(newcomer):
    erased = UserFactory.create(erased=True, email_confirmed_at=None)
    migration = import_module("people.migrations.0016_confirm_existing_emails")
    migration.confirm_existing(apps, SimpleNamespace(connection=connection))
    newcomer.refresh_from_db()
    assert newcomer.email_confirmed_at == newcomer.date_joined
    assert reread(erased).email_confirmed_at is None


# --- What goes to an address that is not confirmed --------------------------------------------------


def test_these_mails_reach_an_address_that_is_not_confirmed_and_no_other():
    reaching = {name for name, kind in mail_kinds().items() if kind.reaches_unconfirmed}
    assert reaching == {
        "email_change",
        "email_change_notice",
        "email_confirmation",
        "invitation",
        "password_reset",
        "payment_received",
        "payment_refunded",
    }


def test_a_receipt_is_sent_and_news_are_not(newcomer):
    course = CourseFactory.create(published=True)
    payment = PaymentFactory.create(payer=newcomer, paid=True)
    send_to_one("payment_received", newcomer, subject_id=payment.pk)
    accesses.grant_access(user=newcomer, target=course, source=AccessSource.GRANT)
    deliver_mail()
    assert [message.to for message in mail.outbox] == [[newcomer.email]]
    assert Delivery.objects.get(status="skipped").error == "the address is not confirmed"


def test_news_of_a_course_go_to_confirmed_subscribers_only(api, author, learner, newcomer, mailed):
    course = CourseFactory.create(owner=author, published=True)
    for person in (learner, newcomer):
        api(person).post(f"courses/{course.pk}/subscription")
    type(course).objects.update(materials_updated_at=timezone.now() - DAY)
    messages = mailed(lambda: api(author).patch(f"courses/{course.pk}", {"title": "Rye bread"}))
    assert [message.to for message in messages] == [[learner.email]]
    assert not Delivery.objects.filter(recipient=newcomer).exists()


def test_it_is_asked_again_when_the_mail_is_written(learner):
    accesses.grant_access(user=learner, target=CourseFactory.create(), source=AccessSource.GRANT)
    User.objects.update(email_confirmed_at=None)
    deliver_mail()
    assert mail.outbox == []
    assert Delivery.objects.get().error == "the address is not confirmed"


def test_the_sweep_blocks_without_a_warning_and_the_link_opens_the_account_again(
    api, newcomer, mailed
):
    User.objects.update(date_joined=timezone.now() - 25 * DAY)
    assert mailed(sweep) == []
    assert reread(newcomer).warned_at is None
    with time_machine.travel(timezone.now() + 10 * DAY):
        assert mailed(sweep) == []
        assert reread(newcomer).blocked_reason == BlockReason.INACTIVITY
        body = {"email": newcomer.email}
        (message,) = mailed(lambda: api(None).post("auth/reactivation", body))
        assert confirm(api, link_in(message)).status_code == 204
        newcomer.refresh_from_db()
        assert newcomer.is_active
        assert newcomer.is_email_confirmed
        sweep()
        assert reread(newcomer).is_active


def test_a_confirmation_lifts_no_block_by_staff(api, newcomer, mailed):
    (message,) = mailed(lambda: api(newcomer).post("auth/email/confirmation"))
    blocks.block(user=newcomer, by=None)
    assert confirm(api, link_in(message)).status_code == 204
    assert reread(newcomer).blocked_reason == BlockReason.STAFF


# --- The owner of a mailbox comes in --------------------------------------------------------------


def test_who_owns_the_mailbox_gets_the_account_that_somebody_else_registered(api, mailed):
    mailed(lambda: api(None).post("auth/register", ANNA))
    taken = api(None).post("auth/register", ANNA)
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    squatter = User.objects.get()
    (reset,) = mailed(lambda: api(None).post("auth/password/reset", {"email": ANNA["email"]}))
    (change,) = mailed(lambda: ask_to_change(api, squatter))
    # They do what they can to keep the account.
    changed = {"old_password": PASSWORD, "new_password": "squatter horse battery"}
    access = api(squatter).post("auth/password/change", changed).json()["access"]
    new = link_in(reset, "password-reset") | {"new_password": "owner horse battery"}
    assert api(None).post("auth/password/reset/confirm", new).status_code == 204
    assert User.objects.get().is_email_confirmed
    assert log_in(api, ANNA["email"], "owner horse battery").status_code == 200
    assert log_in(api, ANNA["email"], "squatter horse battery").status_code == 401
    bearer = {"Authorization": f"Bearer {access}"}
    assert api(None).get("users/me", headers=bearer).status_code == 401
    assert confirm(api, link_in(change)).status_code == 409


def test_who_used_a_link_gets_another_one_on_the_same_day(api, newcomer, mailed):
    for number in range(3):
        (reset,) = mailed(lambda: api(None).post("auth/password/reset", {"email": newcomer.email}))
        assert (
            mailed(lambda: api(None).post("auth/password/reset", {"email": newcomer.email})) == []
        )
        new = link_in(reset, "password-reset") | {"new_password": f"horse battery {number}"}
        assert api(None).post("auth/password/reset/confirm", new).status_code == 204


def test_a_reset_works_once_for_an_address_that_it_confirms(api, newcomer, mailed):
    (reset,) = mailed(lambda: api(None).post("auth/password/reset", {"email": newcomer.email}))
    link = link_in(reset, "password-reset")
    answers = [
        api(None).post("auth/password/reset/confirm", link | {"new_password": new})
        for new in ("another horse battery", "third horse battery")
    ]
    assert [answer.status_code for answer in answers] == [204, 409]
    assert log_in(api, newcomer.email, "another horse battery").status_code == 200


# --- Another address ------------------------------------------------------------------------------


def test_an_address_is_changed_and_changed_back(api, mailed, client_of, administrator):
    """On the day on which its person registered."""
    (registration,) = mailed(lambda: api(None).post("auth/register", ANNA))
    confirm(api, link_in(registration))
    learner, old = User.objects.get(email=ANNA["email"]), ANNA["email"]
    (reset,) = mailed(lambda: api(None).post("auth/password/reset", {"email": old}))
    link, notice = mailed(lambda: ask_to_change(api, learner))
    assert (link.to, notice.to) == ([NEW], [old])
    assert log_in(api, old).status_code == 200
    assert log_in(api, NEW).status_code == 401
    assert confirm(api, link_in(link)).status_code == 204
    assert (reread(learner).email, reread(learner).new_email) == (NEW, "")
    assert api(reread(learner)).get("users/me").json()["is_email_confirmed"] is True
    assert (log_in(api, old).status_code, log_in(api, NEW).status_code) == (401, 200)
    # What was sent to the former address ends; who is logged in stays so.
    new_password = link_in(reset, "password-reset") | {"new_password": "another horse battery"}
    assert api(None).post("auth/password/reset/confirm", new_password).status_code == 409
    assert api(learner).get("users/me").status_code == 200
    assert confirm(api, link_in(link)).status_code == 409
    back, notice = mailed(lambda: ask_to_change(api, reread(learner), old))
    assert (back.to, notice.to) == ([old], [NEW])
    assert confirm(api, link_in(back)).status_code == 204
    assert (log_in(api, old).status_code, log_in(api, NEW).status_code) == (200, 401)
    history = client_of(administrator).get(page("history", learner.pk)).text
    assert history.count("Changed email.") == 2
    assert {entry.user_id for entry in LogEntry.objects.all()} == {learner.pk}


def test_a_wrong_password_changes_nothing(api, learner, mailed):
    answer = ask_to_change(api, learner, password="wrong")
    assert answer.status_code == 422
    assert answer.json()["errors"][0] | {"msg": ""} == {
        "loc": ["body", "password"],
        "code": "password_incorrect",
        "msg": "",
    }
    assert reread(learner).new_email == ""
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("email", ["no mailbox", "", '"a b"@school.example', "a@erased.invalid"])
def test_what_is_no_mailbox_is_refused(api, learner, email):
    answer = ask_to_change(api, learner, email)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "email"]


def test_an_address_that_somebody_has_is_taken(api, learner, stranger):
    answer = ask_to_change(api, learner, stranger.email.upper())
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert not Delivery.objects.exists()


def test_an_address_that_was_taken_meanwhile_is_not_given_away(api, learner, mailed):
    link, _notice = mailed(lambda: ask_to_change(api, learner))
    UserFactory.create(email=NEW.upper())
    answer = confirm(api, link_in(link))
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert reread(learner).email == learner.email


def test_an_address_that_is_not_confirmed_gets_no_notice(api, newcomer, mailed):
    (link,) = mailed(lambda: ask_to_change(api, newcomer))
    assert link.to == [NEW]
    assert confirm(api, link_in(link)).status_code == 204
    assert reread(newcomer).is_email_confirmed


def set_another_password(api, user):
    api(user).post("auth/password/change", {"old_password": PASSWORD, "new_password": "x7 horse q"})


def log_out_everywhere(api, user):
    api(user).post("auth/logout/everywhere")


def ask_for_a_third(api, user):
    ask_to_change(api, user, "anna@third.example")


def withdraw(api, user):
    assert ask_to_change(api, user, user.email.upper()).status_code == 202


@pytest.mark.parametrize(
    "act", [set_another_password, log_out_everywhere, ask_for_a_third, withdraw]
)
def test_the_owner_of_the_account_stops_a_change(api, learner, mailed, act):
    link, _notice = mailed(lambda: ask_to_change(api, learner))
    act(api, learner)
    assert confirm(api, link_in(link)).status_code == 409
    assert reread(learner).email == learner.email


def test_of_two_changes_only_the_last_address_is_written_to(api, learner, run_worker):
    ask_to_change(api, learner, "first@new.example")
    run_worker(lambda: ask_to_change(api, learner, "second@new.example"))
    links = [message.to for message in mail.outbox if "new email" in message.subject]
    assert links == [["second@new.example"]]


def test_an_address_gets_one_link_in_a_day_whoever_wants_it(api, learner, stranger, mailed):
    assert len(mailed(lambda: ask_to_change(api, learner))) == 2
    answer = ask_to_change(api, stranger)
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert reread(stranger).new_email == ""
    assert mailed(lambda: api(None).post("auth/register", ANNA | {"email": NEW})) == []


@pytest.mark.django_db(transaction=True)
def test_of_changes_to_one_address_at_once_one_is_confirmed(api):
    people = UserFactory.create_batch(2, new_email=NEW)
    pages = [email_change_link(person).split("/") for person in people]
    links = [{"uid": uid, "token": token} for *_page, uid, token in pages]
    answers = at_once(*[partial(confirm, api, link) for link in links], before_writing=User)
    assert statuses(answers) == {204: 1, 409: 1}
    assert User.objects.filter(email=NEW).count() == 1


# --- Staff ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("was_confirmed", [True, False])
def test_an_address_that_staff_change_is_told_and_the_new_one_confirmed(
    client_of, support, mailed, api, was_confirmed
):
    person = UserFactory.create(first_name="Zyx")
    if not was_confirmed:
        User.objects.filter(pk=person.pk).update(email_confirmed_at=None)
        person.refresh_from_db()
    form = person_form(person, email=NEW)
    messages = mailed(lambda: client_of(support).post(page("change", person.pk), form))
    former = [[person.email]] if was_confirmed else []
    assert [message.to for message in messages] == [*former, [NEW]]
    assert all("Zyx" not in words_of(message) for message in messages)
    assert not reread(person).is_email_confirmed
    assert confirm(api, link_in(messages[-1])).status_code == 204


def test_another_letter_case_is_no_other_address(client_of, support, learner, mailed):
    typed = learner.email.replace("person", "Person")
    form = person_form(learner, email=typed)
    assert mailed(lambda: client_of(support).post(page("change", learner.pk), form)) == []
    assert reread(learner).email == typed
    assert reread(learner).is_email_confirmed


def test_staff_send_the_link_again_once_in_a_day(client_of, support, newcomer, mailed):
    address = page("send_confirmation", newcomer.pk)
    client = client_of(support)
    (message,) = mailed(lambda: client.post(address, {"confirm": "1"}))
    assert message.to == [newcomer.email]
    assert mailed(lambda: client.post(address, {"confirm": "1"})) == []
    assert "Too many requests" in client.get(page("change", newcomer.pk)).text


def test_staff_mark_an_address_as_confirmed_with_a_reason(client_of, support, newcomer):
    client, address = client_of(support), page("confirm_email", newcomer.pk)
    assert client.post(address, {"confirm": "1"}).status_code == 200
    assert not reread(newcomer).is_email_confirmed
    client.post(address, confirmed("Showed a passport"))
    assert reread(newcomer).is_email_confirmed
    assert "Showed a passport" in client.get(page("history", newcomer.pk)).text


@pytest.mark.parametrize("action", ["send_confirmation", "confirm_email"])
def test_what_is_about_an_address_of_staff_is_for_administrators(
    client_of, support, administrator, action
):
    colleague = UserFactory.create(is_staff=True, email_confirmed_at=None)
    address = page(action, colleague.pk)
    assert client_of(support).post(address, confirmed()).status_code == 403
    assert client_of(administrator).post(address, confirmed()).status_code == 302


def test_list_and_page_say_whether_an_address_is_confirmed(client_of, support, newcomer, learner):
    client = client_of(support)
    assert client.get(page("changelist")).text.count("email not confirmed") == 1
    assert "not confirmed" in client.get(page("change", newcomer.pk)).text
    assert "not confirmed" not in client.get(page("change", learner.pk)).text


def test_the_outbox_shows_where_a_mail_went(client_of, administrator, learner, mailed, api):
    mailed(lambda: ask_to_change(api, learner))
    shown = client_of(administrator).get(reverse("admin:mail_delivery_changelist")).text
    assert NEW in shown

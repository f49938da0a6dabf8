"""Staff write to one person: from the person's page or from a payment, once, with a preview."""

from datetime import timedelta
from email.headerregistry import Address

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from payments.tests.factories import PaymentFactory
from people.models import Role, StaffMessage, User
from people.services.accounts import erase_account
from people.tests.factories import UserFactory
from people.tests.test_admin import person_form
from people.tests.traces import places_of
from project.mail.models import Delivery
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

TEXT = "We found your transfer.\n\nOpen <b>the course</b>:\nhttps://school.example/bread"
MESSAGE = {"subject": "Your payment = found", "text": TEXT}


@pytest.fixture(autouse=True)
def _school(settings):
    settings.SCHOOL_NAME, settings.SCHOOL_EMAIL = "Oak School", "desk@oak.example"


@pytest.fixture
def payment(learner):
    return PaymentFactory.create(payer=learner, title="Bread")


def address_of(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_write", args=[row.pk])


def page_of(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def preview(client, row, form=MESSAGE):
    """Ask for the preview; return what the page would send then."""
    shown = client.post(address_of(row), form)
    assert shown.status_code == 200
    return {**form, "seen": shown.context["form"]["seen"].value()}, shown


def send(client, row, form=MESSAGE):
    ready, _shown = preview(client, row, form)
    return client.post(address_of(row), ready, follow=True)


def role(name):
    call_command("loaddata", "fixtures/groups.json", verbosity=0)
    user = UserFactory.create(is_staff=True, first_name="Sonja", email="sonja@private.example")
    user.groups.add(Role.objects.get(name=name).pk)
    return user


@pytest.mark.parametrize("about", ["person", "payment"])
def test_a_message_arrives_once_as_it_was_previewed(client_of, learner, payment, sink, about):
    support, row = role("support"), {"person": learner, "payment": payment}[about]
    client = client_of(support)
    ready, shown = preview(client, row)
    assert not StaffMessage.objects.exists()
    for _time in range(2):
        client.post(address_of(row), ready)
        deliver_mail()
    (mail,) = sink.messages(learner.email)
    assert mail["Subject"] == "Your payment = found"
    assert mail["Reply-To"].addresses == (Address(addr_spec="desk@oak.example"),)
    assert "private.example" not in mail.as_string()
    text, html = (mail.get_body((part,)).get_content() for part in ("plain", "html"))
    assert shown.context["preview"].html.splitlines() == html.rstrip().splitlines()
    assert TEXT in text.replace("\r\n", "\n")
    assert "Sonja, Oak School" in text
    assert "Sonja, Oak School" in html
    assert "<p>We found your transfer.</p>" in html
    assert "Open &lt;b&gt;the course&lt;/b&gt;:<br>https://school.example/bread" in html
    assert 'href="https://school.example/bread' not in html
    message = StaffMessage.objects.get()
    assert (message.sender, message.recipient, message.text) == (support, learner, TEXT)
    assert message.reference == ("" if row is learner else payment.reference)


def test_what_was_changed_after_the_preview_is_shown_once_more(client_of, support, learner):
    client = client_of(support)
    ready, _shown = preview(client, learner)
    again = client.post(address_of(learner), {**ready, "text": "Something else"})
    assert "Something else" in again.context["preview"].html
    assert not StaffMessage.objects.exists()


@pytest.mark.parametrize("seen", ["", "x", "é:1", "W10:1:1"])
def test_nothing_is_sent_without_a_preview(client_of, support, learner, seen):
    client_of(support).post(address_of(learner), {**MESSAGE, "seen": seen})
    assert not StaffMessage.objects.exists()


def test_the_same_words_again_are_another_message(client_of, support, learner, sink):
    for _time in range(2):
        send(client_of(support), learner)
    deliver_mail()
    assert sink.counts == {learner.email: 2}


def test_messages_and_mails_are_seen_on_the_pages(client_of, support, learner, payment, sink):
    client = client_of(support)
    send(client, payment)
    deliver_mail()
    person, about = client.get(page_of(learner)).text, client.get(page_of(payment)).text
    for shown in (person, about):
        assert "Your payment = found" in shown
        assert "We found your transfer." in shown
    assert "Message from staff" in person
    assert f"Email “message from staff” to {learner.email}: sent" in about
    other = PaymentFactory.create(payer=learner)
    assert "We found your transfer." not in client.get(page_of(other)).text


def test_the_page_of_a_mail_is_linked_for_who_may_open_it(
    client_of, support, administrator, learner
):
    send(client_of(support), learner)
    link = reverse("admin:mail_delivery_change", args=[Delivery.objects.get().pk])
    assert link not in client_of(support).get(page_of(learner)).text
    assert link in client_of(administrator).get(page_of(learner)).text


@pytest.mark.parametrize(
    ("name", "person_page", "payment_page"),
    [
        ("support", 200, 200),
        ("accountants", 403, 200),
        ("moderators", 403, 403),
        ("content editors", 403, 403),
    ],
)
def test_who_looks_after_people_or_payments_may_write(
    client_of, learner, payment, name, person_page, payment_page
):
    client = client_of(role(name))
    for row, expected in ((learner, person_page), (payment, payment_page)):
        assert client.get(address_of(row)).status_code == expected
        posted = client.post(address_of(row), MESSAGE)
        assert posted.status_code == expected
        assert (address_of(row) in client.get(page_of(row)).text) is (expected == 200)


def test_nobody_writes_to_themselves_or_to_who_was_erased(client_of, support, administrator):
    erased = UserFactory.create(erased=True)
    client = client_of(support)
    assert client.get(address_of(support)).status_code == 403
    assert client.get(address_of(erased)).status_code == 403
    assert client.get(address_of(administrator)).status_code == 200
    payment = PaymentFactory.create(payer=erased)
    client.post(address_of(payment), MESSAGE)
    assert not StaffMessage.objects.exists()


def test_who_is_erased_before_the_mail_goes_out_gets_none(
    client_of, support, administrator, learner, sink
):
    send(client_of(support), learner)
    client_of(administrator).post(
        reverse("admin:people_user_erase", args=[learner.pk]),
        {"reason": "Asked to", "typed": learner.email},
    )
    deliver_mail()
    assert not sink.received
    assert not StaffMessage.objects.exists()


def test_no_word_of_a_message_is_found_after_the_person_is_erased(
    client_of, administrator, learner, payment, sink
):
    form = {"subject": "For Ivan Planted", "text": "Ivan Planted, it came."}
    for about in (learner, payment):
        send(client_of(administrator), about, form)
    deliver_mail()
    assert places_of(["Planted"])
    erase_account(user=learner)
    assert not places_of(["Planted"])


def test_a_blocked_person_can_be_written_to(client_of, support, sink):
    person = UserFactory.create(blocked=True)
    send(client_of(support), person)
    deliver_mail()
    assert sink.counts == {person.email: 1}


def test_to_an_address_that_is_not_confirmed_nothing_is_written_and_the_form_says_so(
    client_of, support
):
    person = UserFactory.create(email_confirmed_at=None)
    said = f"No email will go to {person.email}: the address is not confirmed."
    assert said in client_of(support).get(address_of(person)).text
    answer = client_of(support).post(address_of(person), MESSAGE)
    assert said in answer.context["form"].non_field_errors()
    assert answer.context["preview"] is None


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ({"subject": "", "text": "x"}, "subject"),
        ({"subject": "\u202e\x01", "text": "x"}, "subject"),
        ({"subject": "x", "text": " \n"}, "text"),
        ({"subject": "x" * 151, "text": "x"}, "subject"),
        ({"subject": "x", "text": "x" * 5001}, "text"),
    ],
)
def test_a_message_has_bounds(client_of, support, learner, form, wrong):
    answer = client_of(support).post(address_of(learner), form)
    assert answer.context["form"].errors.keys() == {wrong}


def test_a_subject_is_one_line(client_of, support, learner, sink):
    send(client_of(support), learner, {"subject": "Paid\r\nBcc: all@x.example", "text": "x"})
    deliver_mail()
    (mail,) = sink.messages(learner.email)
    assert mail["Subject"] == "Paid Bcc: all@x.example"
    assert mail["Bcc"] is None


def test_one_of_the_staff_writes_so_many_messages_in_an_hour(
    client_of, support, administrator, learner, settings
):
    settings.STAFF_MESSAGES_PER_HOUR = 2
    with time_machine.travel(timezone.now(), tick=False) as clock:
        client = client_of(support)
        for _time in range(2):
            assert "The message was sent." in send(client, learner).text
        refused = send(client, learner)
        assert "as many messages as anybody may write in an hour" in refused.text
        assert StaffMessage.objects.count() == 2
        assert "The message was sent." in send(client_of(administrator), learner).text
        clock.shift(timedelta(hours=1, seconds=1))
        assert "The message was sent." in send(client_of(support), learner).text
    assert StaffMessage.objects.count() == 4


def test_a_person_reads_it_in_their_language(client_of, support, learner, sink):
    User.objects.filter(pk=learner.pk).update(language="ru")
    send(client_of(support), learner)
    deliver_mail()
    (mail,) = sink.messages(learner.email)
    assert "Ответить" in mail.get_body(("html",)).get_content()


def test_mails_about_money_and_courses_are_seen_by_who_may_see_these(
    client_of, support, learner, payment
):
    send(client_of(support), payment)
    send(client_of(support), learner, {"subject": "Your name", "text": "Is it right?"})
    rights = Permission.objects.filter(codename__in=["view_user", "change_user"])
    support.user_permissions.set(rights)
    shown = client_of(support).get(page_of(learner)).text
    assert "Is it right?" in shown
    assert "Your payment = found" not in shown


def test_a_page_is_saved_although_a_mail_was_sent_meanwhile(client_of, administrator, learner):
    form = person_form(learner, city="Riga")
    send(client_of(administrator), learner)
    answer = client_of(administrator).post(page_of(learner), {**form, "email": "no address"})
    assert answer.status_code == 200
    assert client_of(administrator).post(page_of(learner), form).status_code == 302
    learner.refresh_from_db()
    assert learner.city == "Riga"

"""What is kept of a mail that was sent, and how staff see it."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from people.services import accounts
from people.tests.factories import UserFactory
from project.mail.models import Delivery, DeliveryStatus, KeptLetter, Mailing
from project.mail.services import send_to_audience, send_to_one
from project.mail.tasks import deliver_mail, forget_old_mails
from project.tests.processes import wait_until

pytestmark = pytest.mark.django_db


def page(client, row):
    name = f"admin:mail_{type(row).__name__.lower()}_change"
    return client.get(reverse(name, args=[row.pk]))


def test_a_letter_to_many_is_kept_once_and_each_delivery_knows_it_and_its_address(sink):
    people = UserFactory.create_batch(20, language="en")
    mailing = send_to_audience("shared", 1)
    with CaptureQueriesContext(connection) as queries:
        deliver_mail()
    letter = KeptLetter.objects.get()
    assert (letter.mailing, letter.recipient) == (mailing, None)
    assert (letter.subject, letter.unsubscribes) == ("Bread", True)
    assert set(Delivery.objects.values_list("letter", flat=True)) == {letter.pk}
    to = dict(Delivery.objects.values_list("recipient", "sent_to"))
    assert to == {person.pk: person.email for person in people}
    asked = [query for query in queries if "mail_keptletter" in query["sql"]]
    assert len(asked) == 1


def test_a_letter_to_one_is_kept_as_theirs_and_once_however_often_it_is_tried(sink, people):
    first = people[0]
    sink.refused[first.email] = "451 4.7.1 Later"
    send_to_audience("notice", 1)
    deliver_mail()
    assert Delivery.objects.get(recipient=first).letter is None
    sink.refused = {}
    Delivery.objects.update(due_at=timezone.now())
    deliver_mail()
    assert KeptLetter.objects.count() == 5
    for delivery in Delivery.objects.all():
        assert delivery.letter
        assert delivery.letter.recipient_id == delivery.recipient_id
        assert delivery.recipient.first_name in delivery.letter.text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answer", [(0, ""), (0.5, "250 OK")], ids=["lost", "late"])
def test_what_the_server_was_given_is_known_before_it_has_answered(
    sink, learner, monkeypatch, answer
):
    monkeypatch.setattr("project.mail.smtp.PROMPT_SECONDS", 0.1)
    sink.answers[learner.email] = answer
    send_to_one("notice", learner)
    deliver_mail()
    delivery = Delivery.objects.get()
    assert delivery.status == DeliveryStatus.WAITING
    assert (delivery.letter, delivery.sent_to) == (KeptLetter.objects.get(), learner.email)
    wait_until(lambda: not Delivery.objects.exclude(claim=None).exists())


def test_secrets_and_the_links_to_unsubscribe_are_sent_and_not_kept(sink, learner):
    send_to_one("shared", learner)
    deliver_mail()
    [message] = sink.messages(learner.email)
    letter = KeptLetter.objects.get()
    for part, kept in zip(message.iter_parts(), [letter.text, letter.html], strict=True):
        sent = part.get_content()
        assert f"/stop/{learner.pk}/" in sent
        assert "/secret/token/" in sent
        assert "token" not in kept
        assert "/stop/" not in kept
        assert ".invalid" not in sent + kept
        assert kept.count("•••") == 2


def test_a_letter_goes_with_its_mailing(sink, learner):
    send_to_one("notice", learner)
    deliver_mail()
    Mailing.objects.update(created_at=timezone.now() - timedelta(days=91))
    forget_old_mails()
    assert not KeptLetter.objects.exists()


def test_a_letter_goes_with_its_person_and_a_shared_one_stays(sink):
    anna, boris = UserFactory.create_batch(2)
    send_to_one("notice", anna)
    send_to_one("notice", boris)
    send_to_audience("shared", 1)
    deliver_mail()
    accounts.erase_account(user=anna)
    kept = KeptLetter.objects.values_list("mailing__kind", "recipient")
    assert set(kept) == {("notice", boris.pk), ("shared", None)}


def test_administrators_see_a_mail_as_it_was_sent(sink, client_of, administrator, learner):
    send_to_one("shared", learner)
    deliver_mail()
    delivery = Delivery.objects.get()
    former = learner.email
    learner.change_email("new@school.example", confirmed_at=timezone.now())
    learner.save()
    client = client_of(administrator)
    shown = page(client, delivery).content.decode()
    [message] = sink.messages(former)
    for said in ("Parta &lt;noreply@localhost&gt;", former, "Bread", message["Message-ID"][1:-1]):
        assert said in shown
    assert "List-Unsubscribe-Post" in shown
    assert "desk@school.example" in shown
    assert "&lt;b&gt;plain&lt;/b&gt;" in shown
    [address] = re.findall(r'<iframe src="([^"]+)" sandbox ', shown)
    framed = client.get(address)
    assert delivery.letter
    assert framed.content.decode() == delivery.letter.html
    policy = framed["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' data:;"
        " style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
    )
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    assert address in page(client, delivery.mailing).content.decode()


def test_of_many_letters_the_mailing_shows_where_they_are(sink, client_of, administrator, people):
    mailing = send_to_audience("notice", 1)
    deliver_mail()
    shown = page(client_of(administrator), mailing).content.decode()
    assert "see their emails" in shown
    assert "<iframe" not in shown


def test_a_mail_that_is_not_to_be_sent_shows_no_letter(client_of, administrator, learner):
    send_to_one("notice", learner)
    Delivery.objects.update(status=DeliveryStatus.SKIPPED)
    assert "<iframe" not in page(client_of(administrator), Delivery.objects.get()).content.decode()


@pytest.mark.parametrize("status", [DeliveryStatus.WAITING, DeliveryStatus.REFUSED])
def test_a_mail_that_is_not_sent_is_written_anew_for_staff_and_nothing_of_it_is_kept(
    client_of, administrator, status
):
    delivery = delivery_of("shared", administrator, status=status)
    client = client_of(administrator)
    text = page(client, delivery).text
    assert "This email has not been sent." in text
    assert "&lt;b&gt;plain&lt;/b&gt; ••• •••" in text
    frame = client.get(reverse("admin:mail_written_anew", args=[delivery.pk]))
    assert frame.text == '<p><a href="•••">x</a> <a href="•••">y</a></p>'
    assert "sandbox" in frame["Content-Security-Policy"]
    assert not KeptLetter.objects.exists()


@pytest.mark.parametrize(
    ("kind", "is_active", "said"),
    [
        ("notice", False, "It will not be sent: blocked."),
        ("gone", True, "This email can&#x27;t be written: KeyError"),
    ],
)
def test_why_a_mail_will_not_be_written_is_told(client_of, administrator, kind, is_active, said):
    delivery = delivery_of(kind, UserFactory.create(is_active=is_active))
    assert said in page(client_of(administrator), delivery).text


def delivery_of(kind, person, **fields):
    mailing = Mailing.objects.create(kind=kind, key="x", state="listed", subject_id=1)
    return Delivery.objects.create(mailing=mailing, recipient=person, **fields)

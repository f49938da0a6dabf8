"""People hear that staff blocked or unblocked them, and why, if staff tell them."""

import pytest
from django.urls import reverse

from people.models import BlockNotice, User
from people.services import blocks
from people.tests.factories import UserFactory
from project.mail.models import Delivery, Mailing
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

WHY = "Shared the videos"
TOLD = {"reason": WHY, "tell": "on"}
STALE = ("skipped", "blocked or unblocked again")


def page(name, person):
    return reverse(f"admin:people_user_{name}", args=[person.pk])


def outcomes():
    rows = Delivery.objects.order_by("pk")
    return list(rows.values_list("mailing__kind", "status", "error"))


@pytest.mark.parametrize(
    ("language", "words", "said"),
    [
        ("en", ["Reason: Shared the videos"], ["has blocked your account", "unblocked"]),
        ("ru", ["Причина: Shared the videos"], ["учётная запись заблокирована", "разблокирована"]),
    ],
)
def test_the_person_reads_why_in_their_language(
    client_of, support, learner, sink, language, words, said
):
    User.objects.filter(pk=learner.pk).update(language=language)
    client_of(support).post(page("block", learner), TOLD)
    deliver_mail()
    client_of(support).post(page("unblock", learner), TOLD)
    deliver_mail()
    blocked, unblocked = sink.messages(learner.email)
    for part in ("plain", "html"):
        text = blocked.get_body((part,)).get_content()
        assert words[0] in text
        assert said[0] in text
        assert said[1] in unblocked.get_body((part,)).get_content()


@pytest.mark.parametrize("action", ["block", "unblock"])
def test_nobody_is_told_unless_staff_tell(client_of, support, learner, action):
    person = learner if action == "block" else UserFactory.create(blocked=True)
    client_of(support).post(page(action, person), {"reason": WHY})
    person.refresh_from_db()
    assert person.is_active == (action == "unblock")
    assert not Mailing.objects.exists()
    assert not BlockNotice.objects.exists()


def test_a_person_is_told_once_however_often_the_form_is_sent(client_of, support, learner, sink):
    for _time in range(3):
        client_of(support).post(page("block", learner), TOLD)
    for _time in range(3):
        deliver_mail()
    assert sink.counts == {learner.email: 1}


def test_each_of_many_is_told_once(client_of, support, sink):
    people = UserFactory.create_batch(3)
    form = {
        "action": "block_many",
        "_selected_action": [one.pk for one in people],
        "confirm": "1",
        **TOLD,
    }
    client_of(support).post(reverse("admin:people_user_changelist"), form)
    deliver_mail()
    assert sink.counts == {one.email: 1 for one in people}


def test_a_mail_about_a_block_that_was_lifted_is_not_sent(client_of, support, learner, sink):
    client_of(support).post(page("block", learner), TOLD)
    client_of(support).post(page("unblock", learner), {"reason": "By mistake"})
    deliver_mail()
    assert outcomes() == [("account_blocked", *STALE)]
    assert not sink.received


def test_a_mail_about_an_earlier_block_does_not_tell_of_a_later_one(
    client_of, support, learner, sink
):
    client_of(support).post(page("block", learner), TOLD)
    client_of(support).post(page("unblock", learner), {"reason": "By mistake"})
    client_of(support).post(page("block", learner), {"reason": "Something else"})
    deliver_mail()
    assert outcomes() == [("account_blocked", *STALE)]


def test_of_several_only_the_last_is_told(client_of, support, learner, sink):
    for action in ("block", "unblock", "block"):
        client_of(support).post(page(action, learner), {**TOLD, "reason": f"{action} it"})
    deliver_mail()
    sent = ("account_blocked", "sent", "")
    assert outcomes() == [("account_blocked", *STALE), ("account_unblocked", *STALE), sent]


def test_who_is_blocked_again_is_not_told_of_the_way_back(client_of, support, learner):
    blocks.block(user=learner, by=support)
    client_of(support).post(page("unblock", learner), TOLD)
    blocks.block(user=learner, by=support)
    deliver_mail()
    assert outcomes() == [("account_unblocked", *STALE)]


def test_what_staff_typed_is_one_escaped_paragraph(client_of, support, learner, sink):
    typed = "<b>Rude</b>\r\n\r\nDear all & {{ person.email }}"
    client_of(support).post(page("block", learner), {"reason": typed, "tell": "on"})
    deliver_mail()
    (message,) = sink.messages(learner.email)
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert "Reason: <b>Rude</b> Dear all & {{ person.email }}\r\n" in text
    assert "Reason: &lt;b&gt;Rude&lt;/b&gt; Dear all &amp; {{ person.email }}</p>" in html


@pytest.mark.parametrize("reason", ["x" * 501, "\u202e\x01"])
def test_a_reason_is_bounded_and_can_be_read(client_of, support, learner, reason):
    response = client_of(support).post(page("block", learner), {"reason": reason, "tell": "on"})
    assert response.context["form"].errors.keys() == {"reason"}
    learner.refresh_from_db()
    assert learner.is_active


def test_to_an_address_that_is_not_confirmed_goes_no_word_and_the_form_says_so(
    client_of, support, sink
):
    person = UserFactory.create(email_confirmed_at=None)
    asked = client_of(support).get(page("block", person))
    said = f"No email will go to {person.email}: the address is not confirmed."
    assert said in asked.text
    assert "They will get an email" not in asked.text
    client_of(support).post(page("block", person), TOLD)
    deliver_mail()
    assert not Mailing.objects.exists()
    person.refresh_from_db()
    assert not person.is_active


def test_of_many_the_form_names_those_who_get_no_mail(client_of, support, learner):
    person = UserFactory.create(email_confirmed_at=None)
    form = {"action": "block_many", "_selected_action": [learner.pk, person.pk]}
    asked = client_of(support).post(reverse("admin:people_user_changelist"), form)
    field = asked.context["form"]["tell"]
    assert person.email in field.help_text
    assert learner.email not in field.help_text
    assert (field.initial, field.field.disabled) == (True, False)


@pytest.mark.parametrize(("is_staff", "ticked"), [(False, True), (True, False)])
def test_telling_is_the_default_but_of_staff(client_of, administrator, is_staff, ticked):
    person = UserFactory.create(is_staff=is_staff)
    assert client_of(administrator).get(page("block", person)).context["form"]["tell"].initial is (
        ticked
    )


def test_an_address_that_is_not_confirmed_any_more_gets_nothing(client_of, support, learner):
    client_of(support).post(page("block", learner), TOLD)
    User.objects.filter(pk=learner.pk).update(email_confirmed_at=None)
    deliver_mail()
    assert outcomes() == [("account_blocked", "skipped", "the address is not confirmed")]

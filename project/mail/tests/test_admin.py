"""The ledger of mails as administrators see it."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.html import escape
from django_q.models import OrmQ

from people.tests.factories import UserFactory
from project.common.admin.base import moment_shown
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailingState, MailServer
from project.mail.sending import mail_server, note_failure
from project.mail.services import send_to_audience
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailing(people, sink):
    """Three got it, one is refused for good and one for a while."""
    sink.refused[people[0].email] = "550 5.1.1 No such mailbox"
    sink.refused[people[1].email] = "450 4.2.0 Greylisted"
    mailing = send_to_audience("notice", 1, title="Bread at home")
    deliver_mail()
    sink.refused.clear()
    return mailing


def page(model, name="changelist", *args):
    return reverse(f"admin:mail_{model}_{name}", args=args)


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def shown(client, address):
    return set(client.get(address).context["cl"].queryset)


def cells(response, name):
    """What the list shows in this column, row by row."""
    admin = response.context["cl"].model_admin
    return [getattr(admin, name)(row) for row in response.context["cl"].result_list]


@pytest.mark.parametrize("where", ["changelist", "change"])
def test_a_mailing_tells_how_many_mails_became_what(mailing, client_of, administrator, where):
    arguments = [mailing.pk] if where == "change" else []
    text = client_of(administrator).get(page("mailing", where, *arguments)).text
    counts = {"sent": 3, "waiting": 1, "failed": 1}
    if where == "change":
        counts |= {"postponed": 1}
        assert f'href="{page("delivery")}?mailing={mailing.pk}"' in text
        assert ">5</a>" in text
        assert "Ended" not in text
    for outcome, number in counts.items():
        assert f"?mailing={mailing.pk}&amp;outcome={outcome}" in text
        assert f">{number}</a>" in text
    assert "Bread at home" in text


def test_the_state_of_a_mailing_follows_its_mails(mailing, client_of, administrator, sink):
    client = client_of(administrator)
    states = []

    def look():
        [(_colour, text)] = cells(client.get(page("mailing")), "progress")
        states.append(text)

    look()
    Delivery.objects.waiting().update(due_at=timezone.now())
    deliver_mail()
    look()
    Delivery.objects.failed().update(status=DeliveryStatus.SENT)
    look()
    Mailing.objects.update(state=MailingState.PARKED)
    look()
    assert states == [
        "being sent",
        "done, but some failed",
        "done",
        "given up: the recipients could not be listed",
    ]


def test_a_mail_tells_tries_next_try_and_the_last_answer(mailing, client_of, administrator):
    client = client_of(administrator)
    text = client.get(page("delivery")).text
    assert "asks to come again later" in text
    refused, postponed = Delivery.objects.exclude(error="").order_by("status")
    assert refused.status == DeliveryStatus.REFUSED
    for delivery, words in ((refused, "550 5.1.1 No such mailbox"), (postponed, "450 4.2.0")):
        text = client.get(page("delivery", "change", delivery.pk)).text
        assert escape(words) in text
        assert delivery.recipient.email in text
    due = moment_shown(postponed.due_at)
    settled = cells(client.get(page("delivery")), "settled")
    assert f"next try: {due}" in settled
    assert settled.count(moment_shown(refused.finished_at)) >= 1
    assert due in client.get(page("delivery", "change", postponed.pk)).text


@pytest.mark.parametrize(
    ("outcome", "number"),
    [("failed", 1), ("failed_lately", 1), ("postponed", 1), ("sent", 3), ("waiting", 1), ("x", 0)],
)
def test_mails_are_filtered_by_what_became_of_them(
    mailing, client_of, administrator, outcome, number
):
    address = f"{page('delivery')}?mailing={mailing.pk}&outcome={outcome}"
    assert len(shown(client_of(administrator), address)) == number


def test_failures_of_more_than_a_week_ago_need_no_attention(mailing, client_of, administrator):
    client = client_of(administrator)
    assert (
        "1 email could not be delivered in the last seven days."
        in client.get(reverse("admin:index")).text
    )
    long_ago = timezone.now() - timedelta(days=8)
    Delivery.objects.failed().update(finished_at=long_ago)
    assert "could not be delivered" not in client.get(reverse("admin:index")).text
    assert not shown(client, f"{page('delivery')}?outcome=failed_lately")


def test_a_mail_server_that_does_not_answer_is_told_of(client_of, administrator):
    MailServer.objects.create(pk=1, failures=3, failing_since=timezone.now() - timedelta(hours=2))
    text = client_of(administrator).get(reverse("admin:index")).text
    assert "The mail server has not responded for 2\N{NO-BREAK SPACE}hours" in text


def test_a_mail_is_found_by_its_recipient_and_a_mailing_by_its_title(
    mailing, people, client_of, administrator
):
    client = client_of(administrator)
    [found] = shown(client, f"{page('delivery')}?q={people[2].email[2:]}")
    assert found.recipient == people[2]
    assert shown(client, f"{page('mailing')}?q=BREAD") == {mailing}
    assert not shown(client, f"{page('mailing')}?q=water")


def test_mailings_are_filtered_by_kind_and_trouble(mailing, client_of, administrator):
    other = Mailing.objects.create(kind="gone", key="x", state=MailingState.PARKED)
    quiet = Mailing.objects.create(kind="gone", key="y", state=MailingState.LISTED)
    client = client_of(administrator)
    assert shown(client, f"{page('mailing')}?kind=notice") == {mailing}
    assert shown(client, f"{page('mailing')}?attention=troubled") == {mailing, other}
    assert shown(client, f"{page('mailing')}?attention=parked") == {other}
    assert quiet in shown(client, page("mailing"))


def test_a_mail_that_failed_is_tried_again(mailing, people, client_of, administrator, sink):
    failed = Delivery.objects.failed().get()
    client = client_of(administrator)
    address = page("delivery", "try_again", failed.pk)
    assert "550 5.1.1 No such mailbox" in client.get(address).text
    assert Delivery.objects.failed().exists()
    assert said(client.post(address)) == ["1 email will be sent again."]
    deliver_mail()
    assert sink.counts[people[0].email] == 1
    assert sink.counts.total() == 4


def test_all_that_failed_of_a_mailing_is_tried_again_and_nothing_else(
    mailing, people, client_of, administrator, sink, django_capture_on_commit_callbacks
):
    client = client_of(administrator)
    address = page("mailing", "try_again", mailing.pk)
    assert client.get(address).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        assert said(client.post(address)) == ["1 email will be sent again."]
    assert OrmQ.objects.get().task["func"] == "project.mail.tasks.deliver_mail"
    deliver_mail()
    assert sink.counts == {person.email: 1 for person in people if person != people[1]}


def test_a_mailing_that_was_given_up_is_listed_again(people, client_of, administrator, sink):
    mailing = send_to_audience("notice", 1)
    Mailing.objects.update(state=MailingState.PARKED, listing_attempts=5)
    response = client_of(administrator).post(page("mailing", "try_again", mailing.pk))
    assert "The recipients are being listed again." in said(response)
    deliver_mail()
    assert sink.counts.total() == 6  # the administrator, too


def test_chosen_mails_are_tried_again_if_they_failed(mailing, client_of, administrator):
    chosen = list(Delivery.objects.values_list("pk", flat=True))
    form = {"action": "try_again_many", "_selected_action": chosen}
    response = client_of(administrator).post(page("delivery"), form)
    assert said(response) == ["1 email will be sent again."]
    assert Delivery.objects.filter(status=DeliveryStatus.SENT).count() == 3


@pytest.fixture
def unsure(mailing, people):
    """The server did not say whether it took this one."""
    rows = Delivery.objects.filter(recipient=people[2])
    rows.update(status=DeliveryStatus.PERHAPS, unanswered=2, error="Connection lost")
    return rows.get()


def test_mails_that_were_perhaps_sent_are_counted_and_listed(
    unsure, mailing, client_of, administrator
):
    client = client_of(administrator)
    told = "1 email may have been sent: the mail server did not confirm it."
    text = client.get(reverse("admin:index")).text
    assert told in text
    assert f"{page('delivery')}?outcome=perhaps" in text
    assert shown(client, f"{page('delivery')}?outcome=perhaps") == {unsure}
    text = client.get(page("mailing", "change", mailing.pk)).text
    assert f"?mailing={mailing.pk}&amp;outcome=perhaps" in text
    # It is neither what failed, nor tried again with it.
    assert unsure not in shown(client, f"{page('delivery')}?outcome=failed")
    client.post(page("mailing", "try_again", mailing.pk))
    unsure.refresh_from_db()
    assert unsure.status == DeliveryStatus.PERHAPS
    unsure.delete()
    assert told not in client.get(reverse("admin:index")).text


@pytest.mark.parametrize("on_list", [False, True])
@pytest.mark.parametrize("action", ["send_again", "take_as_sent"])
def test_staff_decide_about_a_mail_that_was_perhaps_sent(
    unsure, client_of, administrator, sink, action, on_list
):
    said_then, number = {
        "send_again": ("1 email will be sent again.", 2),
        "take_as_sent": ("1 email counts as sent now.", 1),
    }[action]
    client = client_of(administrator)
    if on_list:
        address = page("delivery")
        chosen = list(Delivery.objects.values_list("pk", flat=True))
        form = {"action": f"{action}_many", "_selected_action": chosen}
        assert unsure.recipient.email in client.post(address, form).text
        form |= {"confirm": "yes"}
    else:
        address, form = page("delivery", action, unsure.pk), {}
        assert "did not confirm that it took it" in client.get(address).text
    unsure.refresh_from_db()
    assert unsure.status == DeliveryStatus.PERHAPS
    assert said(client.post(address, form)) == [said_then]
    deliver_mail()
    assert sink.counts[unsure.recipient.email] == number
    unsure.refresh_from_db()
    assert (unsure.status, unsure.unanswered, unsure.error) == (
        DeliveryStatus.SENT,
        0 if action == "send_again" else 2,
        "",
    )
    # Nothing else was decided.
    assert Delivery.objects.failed().count() == 1


@pytest.mark.parametrize("action", ["send_again", "take_as_sent"])
@pytest.mark.parametrize("who", ["moderator", "support"])
def test_nobody_else_decides_about_a_mail_that_was_perhaps_sent(
    unsure, client_of, who, action, request
):
    client = client_of(request.getfixturevalue(who))
    assert client.post(page("delivery", action, unsure.pk)).status_code == 403
    unsure.refresh_from_db()
    assert unsure.status == DeliveryStatus.PERHAPS


@pytest.mark.parametrize("model", ["delivery", "mailing"])
def test_try_again_is_offered_only_where_something_failed(mailing, client_of, administrator, model):
    client = client_of(administrator)
    subjects = {"delivery": Delivery.objects.failed().get(), "mailing": mailing}
    address = page(model, "change", subjects[model].pk)
    again = page(model, "try_again", subjects[model].pk)
    assert again in client.get(address).text
    Delivery.objects.failed().update(status=DeliveryStatus.SENT)
    assert again not in client.get(address).text


@pytest.mark.parametrize("model", ["delivery", "mailing"])
@pytest.mark.parametrize("who", ["moderator", "support"])
def test_nobody_else_sees_or_repeats_mails(mailing, client_of, who, model, request):
    client = client_of(request.getfixturevalue(who))
    failed = Delivery.objects.failed().get()
    pk = {"delivery": failed.pk, "mailing": mailing.pk}[model]
    assert client.get(page(model)).status_code == 403
    assert client.post(page(model, "try_again", pk)).status_code == 403
    assert page(model) not in client.get(reverse("admin:index")).text
    failed.refresh_from_db()
    assert failed.status == DeliveryStatus.REFUSED


@pytest.mark.parametrize("model", ["delivery", "mailing"])
def test_nothing_is_added_changed_or_deleted_by_hand(mailing, client_of, administrator, model):
    client = client_of(administrator)
    row = {"delivery": Delivery.objects.failed().get(), "mailing": mailing}[model]
    assert client.get(page(model, "add")).status_code == 403
    assert client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert client.post(page(model, "change", row.pk), {"title": "x"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("number", [2, 20])
@pytest.mark.parametrize("model", ["delivery", "mailing"])
def test_queries_do_not_grow(client_of, administrator, model, number, django_assert_num_queries):
    for index in range(number):
        mailing = Mailing.objects.create(kind="notice", key=str(index))
        Delivery.objects.create(mailing=mailing, recipient=UserFactory.create())
    client = client_of(administrator)
    # 1 session, 2 person, 3 their log-in, 4 count, 5 keys of the page, 6 rows.
    with django_assert_num_queries(6):
        client.get(page(model))


SERVER = reverse_lazy("admin:mail_mailserver_change", args=[1])


MEANINGS_OF_SERVER = {
    "[Errno 111] Connection refused": "Nothing answers at the address of the mail server.",
    "(535, b'5.7.8 Error: bad')": "refuses the user name or the password",
    "530 5.7.0 Authentication required": "refuses the user name or the password",
    "[Errno -2] Name or service not known": "There is no mail server of that name.",
    "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate": "is not trusted",
    "STARTTLS extension not supported by server.": "be encrypted",
    "timed out": "does not answer in time",
    "421 4.7.0 Too many connections": "takes no more emails at present",
    "550 5.7.1 Sender not allowed": "refuses the sender address of the school",
    "Connection unexpectedly closed": "broke off the connection",
    "Abracadabra": "an error that Parta does not know",
}


def test_the_page_of_a_mail_server_that_fails_says_what_its_words_mean(
    people, client_of, administrator
):
    mailing = Mailing.objects.create(kind="notice", key="x", state=MailingState.LISTED)
    Delivery.objects.create(mailing=mailing, recipient=people[0])
    client = client_of(administrator)
    mail_server()
    for words, meaning in MEANINGS_OF_SERVER.items():
        note_failure(words, timezone.now())
        text = client.get(SERVER).text
        for part in ("does not take emails", meaning, escape(words), "Next try"):
            assert part in text
    assert f'href="{page("delivery")}?outcome=waiting">1</a>' in text


def test_a_mail_server_that_nobody_has_tried_is_not_called_well(
    mail_host, people, client_of, administrator
):
    client = client_of(administrator)
    assert "not tried yet" in client.get(SERVER).text
    send_to_audience("notice", 1)
    deliver_mail()
    text = client.get(SERVER).text
    assert "not tried yet" not in text
    assert "takes emails" in text
    assert f"127.0.0.1:{mail_host.sink.port}" in text


@pytest.mark.parametrize("act", ["try_now", "send_test"])
def test_what_waits_for_a_mail_server_is_sent_as_soon_as_staff_say_so(
    people, client_of, administrator, mail_host, run_worker, act
):
    send_to_audience("notice", 1)
    mail_host.down()
    run_worker(deliver_mail)
    mail_host.up()
    run_worker(deliver_mail)
    assert not mail_host.sink.received
    client = client_of(administrator)
    run_worker(lambda: client.post(page("mailserver", act, 1), {"address": "x@school.example"}))
    assert set(mail_host.sink.counts) >= {person.email for person in people}
    assert page("mailserver", "try_now", 1) not in client.get(SERVER).text


MEANINGS_OF_ANSWER = {
    "550 5.1.1 No such mailbox": "Nobody has this address.",
    "452 4.2.2 Over quota": "The mailbox is full.",
    "552 5.3.4 Message too big": "The email is too large.",
    "450 4.7.1 Greylisted": "asks to come again later",
    "554 5.7.1 SPF": "refuses emails of the school",
    "Connection unexpectedly closed": "broke off",
    "KeyError('x')": "Parta could not write this email.",
    "unsubscribed": "unsubscribed",
}


def test_a_mail_says_what_the_answer_of_the_server_means(mailing, client_of, administrator):
    failed = Delivery.objects.failed().get()
    client = client_of(administrator)
    for words, meaning in MEANINGS_OF_ANSWER.items():
        Delivery.objects.filter(pk=failed.pk).update(error=words)
        text = client.get(page("delivery", "change", failed.pk)).text
        assert meaning in text
        assert escape(words) in text
    assert meaning in cells(client.get(page("delivery")), "meaning")

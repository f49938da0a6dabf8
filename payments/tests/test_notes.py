"""What is noted by code is shown in words, also what was noted in sentences once."""

from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone
from django.utils.translation import override

from lms.models import Access
from payments.models import AutomaticReason, PaymentMove, StripeEvent, StripeOutcome
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db

OUTCOMES = {
    "moved to paid": "перешёл в состояние: оплачен",
    "nothing to do: it is refunded": "делать нечего, состояние: возвращён",
    "refund requires_action": "возврат в Stripe: нужно действие",
    "refund unheard_of": "возврат в Stripe: unheard_of",
    "the session is for another payment": "сессия относится к другому платежу",
    "the session is not the present one of the payment": "у платежа сейчас другая сессия",
    "amount or currency differ": "не совпадают сумма или валюта",
    "not about a payment of ours": "не о нашем платеже",
    "of a type that changes nothing": "такое событие ничего не меняет",
    "refunded in part only: the access stays": "делать нечего, состояние: оплачен",
}
REASONS = {
    "session complete, no_payment_required": "сессия Stripe: завершена, оплата не нужна",
    "charge ch_3P refunded": "возврат в Stripe: ch_3P, успешно",
    "the page was never made": "страница так и не была создана",
    "": "",
}
OWN_WORDS = [
    "session complete, paid",
    "charge ch_1 refunded",
    "the charge ch_1 refunded",
    "Refund of 3 May: session was cancelled",
]


def migrate():
    import_module("payments.migrations.0008_notes_by_code").name_codes(apps, None)
    import_module("payments.migrations.0010_refunds_of_the_past").add_refunds(apps, None)


@pytest.mark.parametrize(("sentence", "words"), OUTCOMES.items())
def test_what_came_of_an_event_is_shown_in_the_readers_language(sentence, words):
    event = StripeEvent.objects.create(
        type="x", event_id="1", outcome=sentence, happened_at=timezone.now()
    )
    migrate()
    migrate()
    event.refresh_from_db()
    assert event.outcome.partition(": ")[0] in StripeOutcome.values
    with override("ru"):
        assert StripeOutcome.in_words(event.outcome) == words


@pytest.mark.parametrize(("sentence", "words"), REASONS.items())
def test_why_a_payment_moved_is_shown_in_the_readers_language(sentence, words):
    move = PaymentMove.objects.create(payment=PaymentFactory.create(), reason=sentence)
    migrate()
    migrate()
    move.refresh_from_db()
    assert not sentence or move.reason.partition(": ")[0] in AutomaticReason.values
    with override("ru"):
        assert AutomaticReason.in_words(move.reason) == words


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("charge ch_3P refunded", "возврат в Stripe: ch_3P, успешно"),
        ("no paid payment", "нет оплаченного платежа"),
    ],
)
def test_why_an_access_ended_is_shown_in_the_readers_language(learner, course, sentence, words):
    fields = {"user": learner, "course": course, "revoked_at": timezone.now()}
    access = Access.objects.create(
        source="payment", reference="payment:1", revoked_reason=sentence, **fields
    )
    granted = Access.objects.create(source="grant", revoked_reason=sentence, **fields)
    migrate()
    access.refresh_from_db()
    granted.refresh_from_db()
    with override("ru"):
        assert AutomaticReason.in_words(access.revoked_reason) == words
    assert granted.revoked_reason == sentence


@pytest.mark.parametrize("text", OWN_WORDS)
def test_what_staff_wrote_stays_as_they_wrote_it(administrator, text):
    move = PaymentMove.objects.create(
        payment=PaymentFactory.create(), reason=text, by=administrator, source="staff"
    )
    migrate()
    move.refresh_from_db()
    with override("ru"):
        assert AutomaticReason.in_words(move.reason) == text


@pytest.mark.parametrize(
    "text", ["session", "session: ", "no paid payment: see the letter", "moved to: paid"]
)
def test_what_only_begins_like_a_note_is_none(text):
    with override("ru"):
        assert AutomaticReason.in_words(text) == text


def test_a_refund_of_the_past_has_the_reason_of_its_move_as_it_is_noted_now():
    payment = PaymentFactory.create(refunded=True)
    PaymentMove.objects.create(
        payment=payment,
        from_status="paid",
        to_status="refunded",
        reason="charge refunded: ch_3P",
    )
    migrate()
    assert payment.refunds.get().reason == payment.moves.get().reason == "refund: ch_3P, succeeded"

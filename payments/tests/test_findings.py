"""What is found wrong is kept until it is repaired, or settled by a person for a reason."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from lms.models import Access, AccessSource
from lms.services import accesses
from lms.tests.factories import CourseFactory
from payments import tasks
from payments.models import Finding, FindingKind, MoveSource, Payment, PaymentMove, StripeEvent
from payments.models.findings import WORDS
from payments.provider.reading import read_refund
from payments.services import books, consistency, findings, not_understood, refunds, staff
from payments.tests.events import a_refund, an_event
from payments.tests.factories import FindingFactory, PaymentFactory, RefundFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
REPAIRED, SETTLED, OPEN = "repaired", "settled", "open"


@pytest.fixture
def lost(administrator):
    """A payment whose access is gone."""
    payment = PaymentFactory.create()
    staff.confirm_payment(payment=payment, by=administrator, reason="came")
    Access.objects.all().delete()
    return payment


@pytest.fixture
def paid_twice(administrator, learner, course):
    payments = PaymentFactory.create_batch(2, paid=True, payer=learner, course=course)
    for payment in payments:
        accesses.grant_access(
            user=learner,
            target=course,
            source=AccessSource.PAYMENT,
            reference=payment.reference,
        )
    return payments


def fates():
    return [(one.kind, one.status) for one in Finding.objects.order_by("pk")]


def test_what_is_found_again_is_one_row(lost):
    for days in range(3):
        consistency.check_payments(at=NOW + timedelta(days=days))
    finding = Finding.objects.get()
    assert (finding.kind, finding.payment, finding.status) == ("paid_without_access", lost, OPEN)
    assert finding.reference == lost.reference
    assert (finding.first_seen_at, finding.last_seen_at) == (NOW, NOW + timedelta(days=2))


def test_what_is_found_no_more_is_repaired_and_found_anew_another_row(lost):
    consistency.check_payments(at=NOW)
    accesses.grant_access(
        user=lost.payer, target=lost.target, source=AccessSource.PAYMENT, reference=lost.reference
    )
    consistency.check_payments(at=NOW + timedelta(days=1))
    assert fates() == [("paid_without_access", REPAIRED)]
    assert Finding.objects.get().closed_at == NOW + timedelta(days=1)
    Access.objects.all().delete()
    consistency.check_payments(at=NOW + timedelta(days=2))
    assert fates() == [("paid_without_access", REPAIRED), ("paid_without_access", OPEN)]


def test_what_a_person_settled_stays_settled_until_the_facts_change(paid_twice, administrator):
    consistency.check_payments(at=NOW)
    findings.settle_finding(finding=Finding.objects.get(), by=administrator, reason="A gift")
    consistency.check_payments(at=NOW + timedelta(days=1))
    finding = Finding.objects.get()
    assert (finding.status, finding.settled_by, finding.settled_reason) == (
        SETTLED,
        administrator,
        "A gift",
    )
    assert finding.last_seen_at == NOW + timedelta(days=1)
    # Somebody pays a third time, and the last one is the same payment.
    first = paid_twice[0]
    third = PaymentFactory.create(
        payer=first.payer, course=first.course, status="paid", paid_at=NOW - timedelta(days=9)
    )
    accesses.grant_access(
        user=third.payer,
        target=first.course,
        source=AccessSource.PAYMENT,
        reference=third.reference,
    )
    consistency.check_payments(at=NOW + timedelta(days=2))
    assert fates() == [("paid_twice", SETTLED), ("paid_twice", OPEN)]
    assert [one.params["times"] for one in Finding.objects.order_by("pk")] == [2, 3]


def test_what_is_settled_says_nothing_of_another_kind_and_of_what_was_settled_before(support):
    def note(kind, times, day):
        at = NOW + timedelta(days=day)
        return findings.note_finding(kind=kind, reference="payment:1", params=times, at=at)

    seen = []
    for day, times in enumerate(({"times": 2}, {"times": 3}, {"times": 3})):
        finding = note(FindingKind.PAID_TWICE, times, day)
        seen.append(finding.pk)
        if finding.status == OPEN:
            findings.settle_finding(finding=finding, by=support, reason="A gift")
    assert seen[0] != seen[1] == seen[2]
    rows = Finding.objects.order_by("pk").values_list("last_seen_at", flat=True)
    assert list(rows) == [NOW, NOW + timedelta(days=2)]
    assert note(FindingKind.OPEN_TOO_LONG, {"times": 3}, 3).status == OPEN
    assert note(FindingKind.PAID_TWICE, {"times": 2}, 4).status == OPEN


def test_what_is_understood_is_one_thing_however_long_its_name_is():
    for name in ("re_1", "re_2" * 100):
        not_understood.note_not_understood(name)
    references = Finding.objects.order_by("pk").values_list("reference", flat=True)
    assert list(references) == ["stripe:re_1", ("stripe:" + "re_2" * 100)[:100]]
    not_understood.note_understood("re_2" * 100)
    assert fates() == [("not_understood", OPEN), ("not_understood", REPAIRED)]


def test_a_finding_is_settled_once(lost, administrator, support):
    consistency.check_payments()
    finding = Finding.objects.get()
    findings.settle_finding(finding=finding, by=support, reason="x" * 300)
    with pytest.raises(findings.FindingClosed):
        findings.settle_finding(finding=finding, by=administrator, reason="Another")
    finding.refresh_from_db()
    assert (finding.settled_by, finding.settled_reason) == (support, "x" * 200)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("finding_status_is_known", {"status": "lost", "closed_at": NOW}),
        ("finding_settled_has_who_and_why", {"status": "settled", "closed_at": NOW}),
        ("finding_settled_has_who_and_why", {"settled_reason": "Nobody said so"}),
        ("finding_closed_has_time", {"status": "repaired"}),
        ("finding_closed_has_time", {"closed_at": NOW}),
    ],
)
def test_the_database_holds_what_a_finding_may_be(name, fields):
    known = {"kind": FindingKind.PAID_TWICE, "reference": "payment:1"}
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Finding.objects.create(**known, **fields)


def test_one_finding_of_a_kind_and_reference_is_open_at_a_time():
    known = {"kind": FindingKind.PAID_TWICE, "reference": "payment:1"}
    Finding.objects.create(**known, status="repaired", closed_at=NOW)
    Finding.objects.create(**known)
    with pytest.raises(IntegrityError), transaction.atomic():
        Finding.objects.create(**known)


def test_each_kind_has_words_in_both_languages():
    facts = {
        "reference": "payment:1",
        "times": 2,
        "ours": "paid",
        "theirs": ["5.00", "USD"],
        "reason": "",
        "words": "",
        "date": "2026-11-20",
        "amount": ["1990.00", "RUB"],
        "id": "re_1",
        "type": "refund.created",
        "status": "brand_new",
    }
    said = {
        language: [detail_in(language, facts | {"as": name}) for name in WORDS]
        for language in ("en", "ru")
    }
    assert set(FindingKind.values) <= set(WORDS)
    assert not {*said["en"]} & {*said["ru"]}
    assert "The amount is paid here and $5 at Stripe." in said["en"]


def detail_in(language, params):
    with translation.override(language):
        return str(Finding(params=params).detail)


# --- The webhook ---


def test_thin_events_are_answered_and_named_to_the_staff(deliver):
    event = {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": "v1.charge.refunded",
        "created": "2026-11-20T12:00:00.000Z",
        "livemode": False,
        "related_object": {"id": "ch_1", "type": "charge", "url": "/v1/charges/ch_1"},
    }
    for _time in range(2):
        assert deliver(event).status_code == 200
    finding, record = Finding.objects.get(), StripeEvent.objects.get()
    assert (finding.kind, finding.status, record.outcome) == ("webhook_differs", OPEN, "thin")
    assert (record.happened_at, record.type) == (NOW, "v1.charge.refunded")
    assert "snapshot events" in finding.detail


def test_a_webhook_of_another_version_is_named_until_it_is_set_right(deliver, at_stripe):
    event = an_event("invoice.paid", {}, api_version="2020-08-27")
    assert deliver(event).status_code == 200
    finding = Finding.objects.get()
    assert "2020-08-27" in finding.detail
    consistency.check_payments(at=finding.last_seen_at + timedelta(days=3))
    assert fates() == [("webhook_differs", OPEN)]
    consistency.check_payments(at=finding.last_seen_at + timedelta(days=3, seconds=1))
    assert fates() == [("webhook_differs", REPAIRED)]


def test_a_webhook_of_our_version_is_no_finding(deliver, at_stripe):
    assert deliver(an_event("refund.created", a_refund(at_stripe))).status_code == 200
    assert fates() == []


# --- The night ---


def test_every_night_what_needs_no_decision_is_repaired(lost, paid_twice):
    assert tasks.check_payments() == {"findings_open": 1}
    assert sorted(fates()) == [("paid_twice", OPEN), ("paid_without_access", REPAIRED)]
    assert Access.objects.active().filter(reference=lost.reference).exists()


def test_the_command_shows_what_the_night_found(paid_twice, capsys):
    tasks.check_payments()
    with pytest.raises(CommandError, match="1 disagreements, 0 repaired"):
        call_command("check_payments", "--without-stripe")
    assert "paid_twice payment" in capsys.readouterr().out


def test_the_night_asks_about_a_bounded_number_at_once(
    asked, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(consistency, "AT_ONCE", 2)
    payments = [
        PaymentFactory.create(method="stripe", status="failed", session_id=f"cs_{number}")
        for number in range(3)
    ]
    ids = [payment.pk for payment in payments]
    with django_capture_on_commit_callbacks() as later:
        assert tasks.compare_with_stripe(*ids) == {"payments_compared": 2, "payments_left": 1}
    assert (len(later), asked) == (1, ["cs_0", "cs_1"])
    with django_capture_on_commit_callbacks() as later:
        assert tasks.compare_with_stripe(ids[2]) == {"payments_compared": 1, "payments_left": 0}
    assert not later


def test_the_night_goes_through_the_books_in_tasks_that_follow_one_another(
    monkeypatch, django_capture_on_commit_callbacks, run_worker, learner
):
    """So that books of any size are compared, although a task may take a minute only."""
    monkeypatch.setattr(consistency, "BATCH", 2)
    monkeypatch.setattr(tasks, "SLICE", 0)
    gone = Finding.objects.create(kind="paid_twice", reference="payment:1", last_seen_at=NOW)
    told = Finding.objects.create(kind="price_refused", reference="course:1", last_seen_at=NOW)
    waiting = PaymentFactory.create_batch(3, created_at=NOW - 400 * DAY)
    for number in range(5):
        accesses.grant_access(
            user=learner,
            target=CourseFactory.create(),
            source=AccessSource.PAYMENT,
            reference=f"payment:9{number}",
        )
    with django_capture_on_commit_callbacks() as later:
        tasks.check_payments()
    looked_at = Finding.objects.exclude(pk__in=[gone.pk, told.pk])
    assert looked_at.count() < 8
    gone.refresh_from_db()
    assert gone.status == OPEN, "it may be found in what is still to be looked at"
    [go_on] = later
    run_worker(go_on)
    found = looked_at.filter(kind="open_too_long", status=OPEN).order_by("payment_id")
    assert [one.payment for one in found] == waiting
    assert looked_at.filter(kind="access_without_payment", status=REPAIRED).count() == 5
    for finding, status in ((gone, REPAIRED), (told, OPEN)):
        finding.refresh_from_db()
        assert finding.status == status


def test_what_another_check_saw_meanwhile_stays_seen(lost):
    """The command takes minutes over large books, and so does the night."""
    for hours in (1, 0):
        consistency.check_payments(at=NOW + timedelta(hours=hours))
    assert Finding.objects.get().last_seen_at == NOW + timedelta(hours=1)


def test_a_payment_that_is_processed_for_over_a_week_is_found():
    week, second = timedelta(days=7), timedelta(seconds=1)

    def processing(moved, created, *earlier):
        payment = PaymentFactory.create(status="processing", created_at=NOW - created)
        for age in filter(None, (*earlier, moved)):
            PaymentMove.objects.create(
                payment=payment,
                from_status="pending",
                to_status="processing",
                source=MoveSource.WEBHOOK,
                created_at=NOW - age,
            )
        return payment

    late = processing(week + second, 2 * week)
    processing(week, 2 * week)
    processing(week - second, 2 * week)
    # It was cancelled before the money came on its way.
    processing(week - second, 2 * week, 2 * week)
    unknown = processing(None, week + second)
    processing(None, week)
    PaymentFactory.create(status="failed", created_at=NOW - 2 * week)
    found = [
        one for one in books.find_in_books(books.Scope(at=NOW)) if one.kind == "processing_too_long"
    ]
    assert [one.payment_id for one in found] == [late.pk, unknown.pk]


# --- Refunds ---


@pytest.fixture
def at_stripe(learner, course):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", paid=True, payment_intent_id="pi_1"
    )
    accesses.grant_access(
        user=learner, target=course, source=AccessSource.PAYMENT, reference=payment.reference
    )
    return payment


def tell(payment, status, **changes):
    refund = read_refund(a_refund(payment, status=status, **changes))
    source = MoveSource.WEBHOOK
    return refunds.apply_refund(payment_id=payment.pk, refund=refund, source=source)


def test_a_refund_that_fails_is_a_finding_at_once_and_stays_one(at_stripe):
    tell(at_stripe, "succeeded", id="re_1")
    assert fates() == []
    tell(at_stripe, "failed", id="re_1", failure_reason="lost_or_stolen_card")
    tell(at_stripe, "failed", id="re_1", failure_reason="lost_or_stolen_card")
    finding = Finding.objects.get()
    assert (finding.kind, finding.payment, finding.status) == ("refund_failed", at_stripe, OPEN)
    assert "₽1,990" in finding.detail
    assert "the card was lost or stolen" in finding.detail
    consistency.check_payments(fix=True)
    assert fates() == [("refund_failed", OPEN)]


def test_a_refund_that_failed_is_settled_for_good(at_stripe, support):
    tell(at_stripe, "failed", id="re_1")
    finding = Finding.objects.get()
    findings.settle_finding(finding=finding, by=support, reason="Paid out by transfer")
    consistency.check_payments(fix=True)
    assert fates() == [("refund_failed", SETTLED)]


def test_another_refund_ends_the_finding_of_the_one_that_failed(at_stripe):
    created = int(timezone.now().timestamp())
    tell(at_stripe, "failed", id="re_1", created=created - 60)
    assert fates() == [("refund_failed", OPEN)]
    tell(at_stripe, "pending", id="re_2", created=created)
    assert fates() == [("refund_failed", REPAIRED)]
    consistency.check_payments()
    assert fates() == [("refund_failed", REPAIRED)]


@pytest.mark.reported("The first of two partial refunds failed days later, and nobody was told.")
def test_a_refund_that_was_under_way_already_takes_no_others_place():
    payment = PaymentFactory.create(paid=True, method="stripe", payment_intent_id="pi_1")
    before = timezone.now() - timedelta(days=5)
    RefundFactory.create(payment=payment, amount=500, refund_id="re_0", created_at=before - DAY)
    first = RefundFactory.create(payment=payment, amount=500, refund_id="re_1", created_at=before)
    second = RefundFactory.create(
        payment=payment, amount=300, refund_id="re_2", status="requested", created_at=before + DAY
    )
    for refund, status in ((first, "failed"), (second, "succeeded")):
        told = a_refund(payment, id=refund.refund_id, amount=50000, status=status)
        refunds.apply_refund(
            payment_id=payment.pk, refund=read_refund(told), source=MoveSource.WEBHOOK
        )
    assert fates() == [("refund_failed", OPEN)]
    # Stripe's dashboard made the same again before we heard that the first one failed.
    RefundFactory.create(payment=payment, amount=500, refund_id="re_3", created_at=before + DAY)
    consistency.check_payments()
    assert fates() == [("refund_failed", REPAIRED)]


def test_what_staff_give_back_after_a_failure_takes_its_place_and_what_was_under_way_does_not(
    at_stripe, administrator
):
    failed, now = timezone.now() - DAY, timezone.now()
    amounts = {"payment": at_stripe, "amount": 500}
    RefundFactory.create(
        **amounts, refund_id="re_1", status="failed", created_at=failed - DAY, settled_at=failed
    )
    RefundFactory.create(
        **amounts, refund_id="re_2", by=administrator, created_at=failed - timedelta(hours=1)
    )
    consistency.check_payments()
    assert fates() == [("refund_failed", OPEN)]
    RefundFactory.create(
        payment=at_stripe, amount=100, refund_id="re_3", by=administrator, created_at=now
    )
    consistency.check_payments()
    assert fates() == [("refund_failed", REPAIRED)]


def test_a_later_refund_that_fails_too_takes_no_others_place(at_stripe):
    created = int(timezone.now().timestamp())
    tell(at_stripe, "failed", id="re_1", created=created - 60)
    tell(at_stripe, "failed", id="re_2", created=created)
    consistency.check_payments()
    assert fates() == [("refund_failed", OPEN)] * 2


def test_a_refund_that_failed_before_all_went_back_is_nothing_to_look_at():
    payment = PaymentFactory.create(refunded=True)
    RefundFactory.create(payment=payment, amount=payment.amount)
    RefundFactory.create(payment=payment, amount=500, status="failed", refund_id="re_1")
    consistency.check_payments()
    assert fates() == []


def test_what_is_seen_once_is_pressing(lost):
    consistency.check_payments()
    FindingFactory.create(status="repaired", closed_at=timezone.now())
    FindingFactory.create(kind="price_refused", first_seen_at=NOW, last_seen_at=NOW)
    finding = Finding.objects.pressing().get()
    assert finding.last_seen_at == finding.first_seen_at
    assert str(finding).endswith(f": {lost}")


def test_a_refund_that_stripe_refused_at_once_is_told_to_who_asked_and_no_finding(at_stripe):
    RefundFactory.create(payment=at_stripe, status="failed", failure="insufficient_funds")
    consistency.check_payments()
    assert fates() == []


@pytest.mark.parametrize(("refund_id", "days"), [("", 1), ("re_1", 10)])
def test_a_refund_without_an_outcome_is_found(at_stripe, refund_id, days):
    for number, ago in enumerate((timedelta(days=days), timedelta(days=days, seconds=1))):
        payment = PaymentFactory.create(paid=True)
        named = f"{refund_id}{number}" if refund_id else ""
        RefundFactory.create(
            payment=payment, status="requested", refund_id=named, created_at=NOW - ago
        )
    found = [one for one in books.find_in_books(books.Scope(at=NOW)) if "refund" in one.kind]
    assert [(one.kind, one.payment_id) for one in found] == [("refund_unanswered", payment.pk)]


def test_what_stripe_says_of_a_refund_that_waited_ends_the_finding(at_stripe):
    refund = RefundFactory.create(
        payment=at_stripe,
        status="requested",
        amount=at_stripe.amount,
        created_at=timezone.now() - timedelta(days=2),
    )
    consistency.check_payments(fix=True)
    assert fates() == [("refund_unanswered", OPEN)]
    tell(at_stripe, "succeeded", id="re_1", metadata={"refund_token": str(refund.token)})
    assert fates() == [("refund_unanswered", REPAIRED)]


def test_the_night_asks_stripe_about_a_refund_that_waits(api, buy, stripe_sandbox, administrator):
    buy()
    payment = Payment.objects.get()
    sandbox = stripe_sandbox.sandbox
    sandbox.pay(payment.session_id)
    consistency.compare_with_stripe([payment.pk], fix=True)
    payment.refresh_from_db()
    assert payment.status == "paid"
    sandbox.refunds_wait = True
    refund = refunds.refund_payment(payment=payment, by=administrator, reason="?")
    sandbox.settle_refund(refund.refund_id, succeeds=False)
    tasks.check_payments()
    refund.refresh_from_db()
    assert refund.status == "failed"
    assert fates()[-1] == ("refund_failed", OPEN)


# --- Repairing one ---


def test_one_finding_is_repaired_by_itself(lost, paid_twice):
    consistency.check_payments()
    by_kind = {one.kind: one for one in Finding.objects.all()}
    consistency.repair_finding(by_kind["paid_without_access"])
    with pytest.raises(consistency.StillThere):
        consistency.repair_finding(by_kind["paid_twice"])
    assert sorted(fates()) == [("paid_twice", OPEN), ("paid_without_access", REPAIRED)]


@pytest.mark.parametrize("reference", ["", "payment:99"])
def test_access_without_a_payment_is_repaired_by_itself(learner, course, reference):
    accesses.grant_access(
        user=learner, target=course, source=AccessSource.PAYMENT, reference=reference
    )
    consistency.check_payments()
    consistency.repair_finding(Finding.objects.get())
    assert fates() == [("access_without_payment", REPAIRED)]
    assert not Access.objects.active().exists()


def test_what_stripe_says_is_repaired_by_itself(buy, stripe_sandbox):
    buy()
    payment = Payment.objects.get()
    stripe_sandbox.sandbox.pay(payment.session_id)
    consistency.compare_with_stripe([payment.pk])
    assert fates() == [("stripe_says_otherwise", OPEN)]
    consistency.repair_finding(Finding.objects.get())
    payment.refresh_from_db()
    assert (payment.status, fates()) == ("paid", [("stripe_says_otherwise", REPAIRED)])

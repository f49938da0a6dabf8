"""`manage.py check_payments`: each kind of disagreement is planted, found, and repaired if it can
be."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone
from django.utils.html import escape

from lms.models import Access, AccessSource, Course, Lesson
from lms.services import accesses
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import (
    AutomaticReason,
    Finding,
    FindingKind,
    LedgerEntry,
    MoveSource,
    Payment,
    PaymentStatus,
    Refund,
)
from payments.services import books, consistency, staff, transitions
from payments.tests.factories import FindingFactory, PaymentFactory, RefundFactory, place

pytestmark = pytest.mark.django_db


def check(*options):
    """Run the command; return its exit code and what it found, kind by kind."""
    out = StringIO()
    code = 0
    try:
        call_command("check_payments", *options, stdout=out)
    except CommandError:
        code = 1
    return code, [line.split()[0] for line in found_in(out)]


def found_in(out):
    return [line for line in out.getvalue().splitlines() if line.split()[0] in FindingKind]


def found(**scope):
    """What is found in our own books: kind by kind, of which payment."""
    return [(one.kind, one.payment_id) for one in books.find_in_books(books.Scope(**scope))]


@pytest.fixture
def paid(administrator):
    return staff.confirm_payment(payment=PaymentFactory.create(), by=administrator, reason="came")


@pytest.fixture
def at_stripe(api, learner, stripe_sandbox):
    """A payment whose page is open at Stripe."""
    course = CourseFactory.create(published=True, price=100)
    api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    return Payment.objects.get(method="stripe")


def test_books_that_agree_are_no_error(paid, at_stripe):
    # What came to nothing, or waits, is no second payment.
    for status in (PaymentStatus.PENDING, PaymentStatus.FAILED):
        PaymentFactory.create(payer=paid.payer, course=paid.course, status=status)
    assert check() == (0, [])


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_a_paid_payment_without_access_is_found_and_repaired(administrator, learner, what):
    """Whatever else the person, or somebody else, has access to."""
    lesson = LessonFactory.create()
    target = place(lesson.course if what == "course" else lesson)
    wanted = [
        PaymentFactory.create(payer=learner, **target),
        PaymentFactory.create(payer=learner),
        PaymentFactory.create(**target),
    ]
    for payment in wanted:
        staff.confirm_payment(payment=payment, by=administrator, reason="came")
    PaymentFactory.create(payer=learner)
    lost = wanted[0]
    accesses.revoke_access(reference=lost.reference, reason="planted")
    before = list(Access.objects.values())
    assert found() == [("paid_without_access", lost.pk)]
    assert check() == (1, ["paid_without_access"])
    assert list(Access.objects.values()) == before, "a dry run changes nothing"
    # As if there had never been any.
    Access.objects.filter(reference=lost.reference).delete()
    assert check("--fix") == (0, ["paid_without_access"])
    access = Access.objects.active().get(reference=lost.reference)
    assert (access.user, access.target, access.source) == (learner, lost.target, "payment")
    assert Access.objects.active().count() == 3
    assert check() == (0, [])


@pytest.mark.parametrize(
    "reference", ["payment:99", "payment:x", "", "pending", "failed", "refunded", "expired"]
)
def test_access_without_a_payment_is_found_and_repaired(paid, learner, course, reference):
    number = None
    if reference in PaymentStatus.values:
        paid_at = {"paid_at": paid.paid_at} if reference == "refunded" else {}
        payment = PaymentFactory.create(payer=learner, status=reference, **paid_at)
        number, reference = payment.pk, payment.reference
    planted, _is_new = accesses.grant_access(
        user=learner, target=course, source=AccessSource.PAYMENT, reference=reference
    )
    accesses.grant_access(
        user=learner, target=course, source=AccessSource.GRANT, given_by=paid.payer
    )
    [one] = books.find_in_books()
    assert (one.kind, one.payment_id) == ("access_without_payment", number)
    assert one.params == {"reference": reference or f"access:{planted.pk}"}
    assert check() == (1, ["access_without_payment"])
    assert check("--fix") == (0, ["access_without_payment"])
    planted.refresh_from_db()
    assert planted.revoked_at
    assert planted.revoked_reason == AutomaticReason.NO_PAID_PAYMENT
    assert Access.objects.active().count() == 2
    assert check() == (0, [])


def test_access_that_was_taken_before_it_is_repaired_stays_as_it_is(learner, course):
    accesses.grant_access(
        user=learner, target=course, source=AccessSource.PAYMENT, reference="payment:99"
    )
    [one] = books.find_in_books()
    accesses.revoke_access(reference="payment:99", reason="by staff")
    assert one.repair
    one.repair()
    assert Access.objects.get().revoked_reason == "by staff"


def test_what_came_first_is_told_first(administrator, learner):
    payments = PaymentFactory.create_batch(3, payer=learner)
    for number, payment in enumerate(reversed(payments)):
        Payment.objects.filter(pk=payment.pk).update(
            created_at=timezone.now() + timedelta(minutes=number)
        )
        staff.confirm_payment(payment=payment, by=administrator, reason="came")
        accesses.revoke_access(reference=payment.reference, reason="planted")
    for number in (10**9, 10**9 + 1):  # that no payment has
        accesses.grant_access(
            user=learner,
            target=CourseFactory.create(),
            source=AccessSource.PAYMENT,
            reference=f"payment:{number}",
        )
    assert found() == [
        *(("paid_without_access", payment.pk) for payment in payments),
        ("access_without_payment", None),
        ("access_without_payment", None),
    ]
    accesses_found = [one for one in books.find_in_books() if one.payment_id is None]
    assert [one.reference for one in accesses_found] == ["payment:1000000000", "payment:1000000001"]


def test_grants_and_enrolments_need_no_payment(learner):
    for source in (AccessSource.GRANT, AccessSource.ENROLLMENT):
        accesses.grant_access(user=learner, target=CourseFactory.create(), source=source)
    assert check() == (0, [])


# What became of the page at Stripe; then, by our own status, what ours becomes, or that a person
# has to decide. What is not named agrees, or is a step behind that we know better.
PERSON = "a person decides"
OPEN = ("pending", "processing", "failed", "expired", "cancelled")
COMPARED = {
    "open": {"paid": PERSON},
    "on its way": dict.fromkeys(("pending", "expired", "cancelled"), "processing")
    | {"paid": PERSON},
    "failed": {"pending": "failed", "processing": "failed", "paid": PERSON},
    "expired": {"pending": "expired", "paid": PERSON},
    "paid": dict.fromkeys(OPEN, "paid") | {"refunded": PERSON},
    "refunded in part": dict.fromkeys((*OPEN, "paid"), "paid") | {"refunded": PERSON},
    "refunded": dict.fromkeys((*OPEN, "paid"), "refunded"),
}


def happen(sandbox, session_id, what):
    if what == "expired":
        sandbox.expire_session(session_id)
    if what in {"on its way", "failed"}:
        sandbox.pay_later(session_id, succeeds=False)
    if what == "failed":
        sandbox.advance(3600)
    if what in {"paid", "refunded", "refunded in part"}:
        intent = sandbox.pay(session_id)["payment_intent"]
        part = {"amount": "1"} if what == "refunded in part" else {}
        if what != "paid":
            sandbox.create_refund({"payment_intent": intent} | part)


@pytest.mark.parametrize("what", COMPARED)
def test_what_stripe_knows_better_is_repaired_and_the_rest_is_for_a_person(
    at_stripe, stripe_sandbox, what
):
    happen(stripe_sandbox.sandbox, at_stripe.session_id, what)
    for ours in PaymentStatus.values:
        paid_at = timezone.now() if ours in {"paid", "refunded"} else None
        refunded = at_stripe.amount if ours == "refunded" else 0
        Payment.objects.update(status=ours, paid_at=paid_at, refunded_amount=refunded)
        Access.objects.all().delete()
        Refund.objects.all().delete()
        if refunded:
            RefundFactory.create(payment=at_stripe, amount=refunded)
        transitions.post_again(at_stripe.pk)
        if ours == "paid":
            accesses.grant_access(
                user=at_stripe.payer,
                target=at_stripe.target,
                source=AccessSource.PAYMENT,
                reference=at_stripe.reference,
            )
        expected = COMPARED[what].get(ours)
        kinds = ["stripe_says_otherwise"] if expected else []
        assert check("--without-stripe") == (0, [])
        assert check() == (len(kinds), kinds), ours
        assert check("--fix") == (int(expected == PERSON), kinds), ours
        at_stripe.refresh_from_db()
        assert at_stripe.status == (expected if expected in PaymentStatus.values else ours)
        sources = set(at_stripe.moves.values_list("source", flat=True))
        assert sources <= {MoveSource.RECONCILIATION}
        held = Access.objects.active().filter(reference=at_stripe.reference)
        assert held.exists() == (at_stripe.status == "paid")


def test_stripe_is_asked_about_what_is_open_and_then_about_what_was_asked_longest_ago(asked):
    """However old it is: each has its turn."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    days = timedelta(days=1)

    def at_stripe(name, status, checked_at, **fields):
        paid_at = {"paid_at": now} if status in {"paid", "refunded"} else {}
        fields = {"method": "stripe", "session_id": f"cs_{name}", "checked_at": checked_at} | fields
        return PaymentFactory.create(
            status=status, created_at=now - 400 * days, **paid_at, **fields
        )

    latest = at_stripe("asked_today", "refunded", now)
    earlier = at_stripe("asked_yesterday", "failed", now - days)
    never = at_stripe("never_asked", "expired", None)
    always = [at_stripe(f"open_{status}", status, now) for status in ("pending", "processing")]
    refunding = at_stripe("refunding", "paid", now)
    RefundFactory.create(payment=refunding, status="requested", amount=1)
    at_stripe("", "failed", None, session_id="")
    at_stripe("cash", "paid", None, method="cash")
    at_stripe("live", "pending", None, livemode=True)
    first = [*always, refunding, never]
    assert consistency.to_ask_about(settled=1) == [one.pk for one in first]
    consistency.compare_with_stripe(consistency.to_ask_about(settled=1), at=now + days)
    assert sorted(asked) == sorted(one.session_id for one in first)
    # The next night it is the turn of others.
    assert consistency.to_ask_about(settled=2)[3:] == [earlier.pk, latest.pk]
    unknown = Finding.objects.filter(kind="unknown_at_stripe").order_by("payment_id")
    assert [one.payment for one in unknown] == sorted(first, key=lambda one: one.pk)


def test_another_amount_at_stripe_is_found_for_a_person_to_decide(at_stripe):
    Payment.objects.update(amount=1)
    assert check("--fix") == (1, ["amount_differs"])


def test_a_session_that_stripe_does_not_know_is_found(at_stripe):
    Payment.objects.update(session_id="cs_test_nothing")
    assert check("--fix") == (1, ["unknown_at_stripe"])


@pytest.mark.parametrize(
    ("method", "limit"),
    [
        ("stripe", timedelta(days=2)),
        ("cash", timedelta(days=30)),
        ("transfer", timedelta(days=30)),
    ],
)
def test_a_payment_that_is_open_for_longer_than_money_takes_is_found(method, limit):
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def open_for(age, **fields):
        fields = {"session_id": f"cs_{age.total_seconds()}"} | fields
        return PaymentFactory.create(method=method, created_at=now - age, **fields)

    late, later = (open_for(limit + extra) for extra in (timedelta(seconds=1), limit))
    open_for(limit)
    for status in ("processing", "failed", "expired"):
        open_for(2 * limit, status=status, session_id=f"cs_{status}")
    open_for(2 * limit, refunded=True, session_id="cs_refunded")
    if method == "stripe":  # Nobody can have opened a page that was never made.
        open_for(2 * limit, session_id="")
    expected = [("open_too_long", later.pk), ("open_too_long", late.pk)]
    assert [one for one in found(at=now) if one[0] == "open_too_long"] == expected
    Payment.objects.filter(status="processing").delete()
    with time_machine.travel(now + timedelta(seconds=-1), tick=False):
        assert check("--without-stripe") == (1, ["open_too_long"])


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_a_thing_that_is_paid_twice_is_found(administrator, learner, stranger, what):
    lesson = LessonFactory.create()
    sibling = LessonFactory.create(course=lesson.course)
    target = place(lesson.course if what == "course" else lesson)
    others: list[Course | Lesson] = [
        LessonFactory.create().course,
        sibling,
        LessonFactory.create(),
    ]
    once = [PaymentFactory.create(payer=learner, **place(other)) for other in others]
    once.append(PaymentFactory.create(payer=stranger, **target))
    PaymentFactory.create(payer=learner, refunded=True, **target)
    PaymentFactory.create(payer=learner, **target)
    later, first = PaymentFactory.create_batch(2, payer=learner, **target)
    cause = transitions.Cause(source=MoveSource.STAFF, reason="planted")
    # What else was paid since is no matter.
    for days, payment in enumerate((first, once[2], later, *once[:2], once[3])):
        at = timezone.now() + timedelta(days=days)
        with time_machine.travel(at):
            transitions.move_payment(payment_id=payment.pk, to=PaymentStatus.PAID, cause=cause)
    # The later one, by the time of the money, is the one to be given back.
    assert found() == [("paid_twice", later.pk)]
    assert check("--fix") == (1, ["paid_twice"])


def test_of_two_that_were_paid_at_the_same_moment_the_newer_is_given_back(learner, course):
    """As imported ones may be."""
    at = timezone.now()
    pair = PaymentFactory.create_batch(2, payer=learner, course=course, paid=True, paid_at=at)
    for payment in pair:
        accesses.grant_access(
            user=learner, target=course, source=AccessSource.PAYMENT, reference=payment.reference
        )
    assert found() == [("paid_twice", pair[1].pk)]


def test_silence_of_stripe_is_an_error(at_stripe, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    assert check()[0] == 1


@pytest.fixture
def everything_wrong(api, learner, stripe_sandbox, paid):
    """A fault of each kind."""
    old = timezone.now() - timedelta(days=400)
    for fields in (
        {"paid": True},  # without access
        {"paid": True, "course": None, "title": "Gone"},
        {"created_at": old},
        {"created_at": old, "status": PaymentStatus.PROCESSING},
        {"method": "stripe", "session_id": "cs_live_1", "livemode": True},
    ):
        PaymentFactory.create(**fields)
    LedgerEntry.objects.all().delete()
    again = PaymentFactory.create(payer=paid.payer, course=paid.course, paid=True)
    for target, reference in ((paid.target, again.reference), (CourseFactory.create(), "none")):
        accesses.grant_access(
            user=paid.payer, target=target, source=AccessSource.PAYMENT, reference=reference
        )
    RefundFactory.create(payment=paid, amount=1, status="failed", refund_id="re_1")
    RefundFactory.create(payment=paid, amount=2, status="requested", created_at=old)
    for kind in (
        FindingKind.WEBHOOK_DIFFERS,
        FindingKind.PRICE_REFUSED,
        FindingKind.NOT_UNDERSTOOD,
    ):
        FindingFactory.create(kind=kind)
    for changes in ({"amount": 1}, {"session_id": "cs_test_nothing"}, {"status": "cancelled"}):
        course = CourseFactory.create(published=True, price=100)
        body = {"course_id": course.pk, "method": "stripe"}
        number = api(learner).post("payments", body).json()["id"]
        payment = Payment.objects.get(pk=number)
        if "status" in changes:
            stripe_sandbox.sandbox.pay(payment.session_id)
        Payment.objects.filter(pk=number).update(**changes)


@pytest.mark.parametrize("options", [[], ["--fix"]])
def test_the_command_and_the_page_show_the_same_list(everything_wrong, client_of, support, options):
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("check_payments", *options, stdout=out)
    told = sorted(line for line in found_in(out) if not line.endswith("(repaired)"))
    page = client_of(support).get("/admin/payments/finding/", {"status__exact": "open"})
    shown = page.context["cl"].result_list
    assert told == sorted(
        f"{one.kind} {f'payment {one.payment_id}' if one.payment_id else one.reference}: {one.detail}"
        for one in shown
    )
    assert all(str(escape(one.detail)) in page.text for one in shown)
    expected = set(FindingKind) - (set(consistency.REPAIRABLE) if options else set())
    assert {one.kind for one in shown} >= expected

"""`manage.py check_payments`: each kind of disagreement is planted, found, and repaired if it can
be."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from lms.models import Access, AccessSource
from lms.services import grant_access, revoke_access
from lms.tests.factories import CourseFactory
from payments.models import MoveSource, Payment, PaymentStatus
from payments.services import Cause, confirm_payment, move_payment
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db


def check(*options):
    """Run the command; return its exit code and what it found, kind by kind."""
    out = StringIO()
    code = 0
    try:
        call_command("check_payments", *options, stdout=out)
    except CommandError:
        code = 1
    kinds = [line.split()[0] for line in out.getvalue().splitlines() if " payment " in line]
    return code, kinds


@pytest.fixture
def paid(administrator):
    return confirm_payment(payment=PaymentFactory.create(), by=administrator, reason="came")


@pytest.fixture
def at_stripe(api, learner, stripe_sandbox):
    """A payment whose page is open at Stripe."""
    course = CourseFactory.create(published=True, price=100)
    api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    return Payment.objects.get(method="stripe")


def test_books_that_agree_are_no_error(paid, at_stripe):
    assert check() == (0, [])


def test_a_paid_payment_without_access_is_found_and_repaired(paid):
    revoke_access(reference=paid.reference, reason="planted")
    assert check() == (1, ["paid_without_access"])
    assert not Access.objects.active().exists(), "a dry run changes nothing"
    assert check("--fix") == (0, ["paid_without_access"])
    assert Access.objects.active().filter(reference=paid.reference).exists()
    assert check() == (0, [])


@pytest.mark.parametrize("reference", ["payment:99", "payment:x", ""])
def test_access_without_a_payment_is_found_and_repaired(learner, reference):
    grant_access(
        user=learner,
        target=CourseFactory.create(),
        source=AccessSource.PAYMENT,
        reference=reference,
    )
    assert check() == (1, ["access_without_payment"])
    assert check("--fix") == (0, ["access_without_payment"])
    assert not Access.objects.active().exists()


def test_grants_and_enrolments_need_no_payment(learner):
    for source in (AccessSource.GRANT, AccessSource.ENROLLMENT):
        grant_access(user=learner, target=CourseFactory.create(), source=source)
    assert check() == (0, [])


def test_what_stripe_knows_better_is_found_and_repaired(at_stripe, stripe_sandbox):
    stripe_sandbox.sandbox.pay(at_stripe.session_id)
    assert check() == (1, ["stripe_says_otherwise"])
    assert check("--without-stripe") == (0, [])
    assert check("--fix") == (0, ["stripe_says_otherwise"])
    at_stripe.refresh_from_db()
    assert at_stripe.status == PaymentStatus.PAID
    assert Access.objects.active().filter(reference=at_stripe.reference).exists()


def test_a_refund_we_did_not_hear_of_is_found_and_repaired(at_stripe, stripe_sandbox):
    stripe_sandbox.sandbox.pay(at_stripe.session_id)
    check("--fix")
    session = stripe_sandbox.sandbox.find("checkout.session", at_stripe.session_id)
    stripe_sandbox.sandbox.create_refund({"payment_intent": session["payment_intent"]}, None)
    assert check() == (1, ["stripe_says_otherwise"])
    assert check("--fix") == (0, ["stripe_says_otherwise"])
    assert not Access.objects.active().exists()


def test_money_that_stripe_knows_nothing_of_is_found_for_a_person_to_decide(at_stripe):
    cause = Cause(source=MoveSource.STAFF, reason="planted")
    move_payment(payment_id=at_stripe.pk, to=PaymentStatus.PAID, cause=cause)
    assert check("--fix") == (1, ["stripe_says_otherwise"])


def test_another_amount_at_stripe_is_found_for_a_person_to_decide(at_stripe):
    Payment.objects.update(amount=1)
    assert check("--fix") == (1, ["amount_differs"])


def test_a_session_that_stripe_does_not_know_is_found(at_stripe):
    Payment.objects.update(session_id="cs_test_nothing")
    assert check("--fix") == (1, ["unknown_at_stripe"])


@pytest.mark.parametrize(("method", "days"), [("stripe", 3), ("cash", 31), ("transfer", 31)])
def test_a_payment_that_is_open_too_long_is_found(method, days):
    created = timezone.now() - timedelta(days=days)
    PaymentFactory.create(method=method, created_at=created, session_id="cs_test_1")
    assert check("--without-stripe") == (1, ["open_too_long"])


def test_a_thing_that_is_paid_twice_is_found(paid):
    twin = PaymentFactory.create(payer=paid.payer, course=paid.course)
    cause = Cause(source=MoveSource.STAFF, reason="planted")
    move_payment(payment_id=twin.pk, to=PaymentStatus.PAID, cause=cause)
    assert check("--fix") == (1, ["paid_twice"])


def test_silence_of_stripe_is_an_error(at_stripe, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    assert check()[0] == 1

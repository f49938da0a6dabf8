"""Two people decide about one payment: one decision stands, the other person is told whose it was and
when (docs/rules.md, 13.10)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from html import unescape
from itertools import product
from typing import Any, NamedTuple

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format

from lms.tests.factories import CourseFactory
from payments.models import Finding, Payment, PaymentMove, Refund
from payments.services import findings, refunds, staff
from payments.services.decisions import decisions_about
from payments.tests.factories import FindingFactory, PaymentFactory
from people.models import User
from people.tests.factories import UserFactory
from project.common.decisions import DecidedMeanwhile, Seen
from project.tests.races import at_once

PART = Decimal(500)
# As the clock of the school shows it.
NOON = datetime(2026, 11, 20, 12, 4, tzinfo=timezone.get_default_timezone())


class Way(NamedTuple):
    """One way to decide: the button, what is answered, the service, and the states it fits."""

    action: str
    service: Callable[..., object]
    fits: frozenset[str]
    answers: dict[str, Any]


def way(action: str, service: Callable[..., object], fits: str, **answers: Any) -> Way:
    return Way(action, service, frozenset(fits.split()), {"reason": "Looked", **answers})


WAYS = {
    "confirm": way("confirm", staff.confirm_payment, "waiting"),
    "reject": way("reject", staff.reject_payment, "waiting"),
    "undo": way("undo_confirmation", staff.undo_confirmation, "confirmed"),
    "refund a part": way("refund", refunds.refund_payment, "confirmed another_sum", amount=PART),
    "refund all": way("refund", refunds.refund_payment, "confirmed another_sum"),
    "accept the sum": way("accept_amount", staff.accept_amount, "another_sum"),
    "settle": way("settle", findings.settle_finding, "waiting confirmed another_sum"),
}
WAITING, CONFIRMED = ("confirm", "reject"), ("undo", "refund a part", "refund all")
# The state in which the page was opened, its button, and what a colleague did since.
CASES = [
    (state, page, [decision])
    for state in ("waiting", "confirmed", "another_sum")
    for page, decision in product(WAYS, WAYS)
    if state in WAYS[page].fits & WAYS[decision].fits
]
# Where the two do not fit the same state, only the page is from before.
CASES += [("waiting", page, ["confirm", one]) for page, one in product(WAITING, CONFIRMED)]
CASES += [("confirmed", page, ["undo", one]) for page, one in product(CONFIRMED, WAITING)]


@pytest.fixture
def payment_in(request, api, administrator):
    """Make a payment in a state, with a finding, which is a thing to decide about as well."""

    def make(state: str) -> Payment:
        if state == "another_sum":
            return bought_with_tax(api, request.getfixturevalue("stripe_sandbox"))
        payment = PaymentFactory.create()
        if state == "confirmed":
            staff.confirm_payment(payment=payment, by=administrator, reason="Came")
        FindingFactory.create(payment=payment, kind="open_too_long", reference=payment.reference)
        return Payment.objects.get(pk=payment.pk)

    return make


def bought_with_tax(api: Any, stripe_sandbox: Any) -> Payment:
    course = CourseFactory.create(published=True, price=1990)
    buyer = api(UserFactory.create())
    body = {"course_id": course.pk, "method": "stripe"}
    payment = Payment.objects.get(pk=buyer.post("payments", body).json()["id"])
    stripe_sandbox.sandbox._kept["objects"][payment.session_id]["amount_total"] = 238_800
    stripe_sandbox.sandbox.pay(payment.session_id)
    buyer.get(f"payments/{payment.pk}/status")
    return Payment.objects.get(pk=payment.pk)


def address(payment: Payment, action: str) -> str:
    if action == "settle":
        finding = Finding.objects.get(payment=payment)
        return reverse("admin:payments_finding_settle", args=[finding.pk])
    return reverse(f"admin:payments_payment_{action}", args=[payment.pk])


def book() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Payment, Refund, Finding)]


def told(response: Any) -> str:
    said = [str(message) for message in get_messages(response.wsgi_request)]
    return " ".join([*said, unescape(response.text)])


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "page", "decisions"), CASES)
@time_machine.travel(NOON)
def test_a_page_from_before_a_decision_changes_nothing_and_says_whose_it_was(
    payment_in, client_of, administrator, support, state, page, decisions
):
    opened = WAYS[page]
    payment = payment_in(state)
    theirs, ours = client_of(support), client_of(administrator)
    asked = ours.get(address(payment, opened.action))
    answer = {**opened.answers, "typed": payment.payer.email, "seen_state": asked.context["seen"]}
    for name in decisions:
        answers = {"typed": payment.payer.email, **WAYS[name].answers}
        assert theirs.post(address(payment, WAYS[name].action), answers).status_code == 302
    before = book()
    response = ours.post(address(payment, opened.action), answer)
    assert book() == before
    assert f"(Sonja, {time_format(NOON, 'TIME_FORMAT')})" in told(response)
    if response.status_code == 200:
        again = {**answer, "seen_state": response.context["seen"]}
        assert ours.post(address(payment, opened.action), again).status_code == 302
        assert book() != before


@pytest.mark.django_db
def test_whoever_comes_back_to_an_old_page_is_told_even_if_all_is_as_it_was(
    payment_in, client_of, administrator, support
):
    payment = payment_in("waiting")
    asked = client_of(administrator).get(address(payment, "reject"))
    staff.confirm_payment(payment=payment, by=support, reason="Came")
    staff.undo_confirmation(payment=payment, by=support, reason="Did not")
    answer = {"reason": "Never came", "seen_state": asked.context["seen"], "tell": "on"}
    response = client_of(administrator).post(address(payment, "reject"), answer)
    assert "paid → pending (Sonja" in told(response)
    assert Payment.objects.get().status == "pending"
    # What was typed is still there.
    assert 'value="Never came"' in response.text


@pytest.mark.django_db
@pytest.mark.parametrize("forged", ["", "nonsense"])
def test_a_state_that_we_have_not_signed_was_seen_by_nobody(
    payment_in, client_of, administrator, forged
):
    payment = payment_in("waiting")
    answer = {"reason": "Came", "seen_state": forged}
    response = client_of(administrator).post(address(payment, "confirm"), answer)
    assert "has changed since you opened the page" in told(response)
    assert Payment.objects.get().status == "pending"


@pytest.mark.django_db
def test_what_stripe_tells_meanwhile_is_told_as_stripe_s(payment_in, client_of, administrator):
    payment = payment_in("confirmed")
    asked = client_of(administrator).get(address(payment, "refund"))
    Refund.objects.create(
        payment=payment, amount=PART, status="succeeded", settled_at=timezone.now(), refund_id="re"
    )
    answer = {"reason": "Asked for", "seen_state": asked.context["seen"]}
    response = client_of(administrator).post(address(payment, "refund"), answer)
    assert "succeeded (Stripe" in told(response)
    assert Refund.objects.count() == 1


@pytest.mark.django_db
def test_of_many_what_others_decided_is_left_out_and_named_and_the_rest_is_done(
    payment_in, client_of, administrator, support
):
    theirs, mine = (payment_in("waiting").findings.get() for _number in range(2))
    listed = reverse("admin:payments_finding_changelist")
    form = {"action": "settle_many", "_selected_action": [theirs.pk, mine.pk]}
    client = client_of(administrator)
    asked = client.post(listed, form)
    findings.settle_finding(finding=theirs, by=support, reason="Mine")
    answer = {"confirm": "1", "reason": "Looked", "seen_state": asked.context["seen"]}
    said = told(client.post(listed, {**form, **answer}))
    assert f"{theirs}: Nothing was done" in said
    assert "Sonja" in said
    assert f"Settled: {mine}." in said
    by = dict(Finding.objects.values_list("pk", "settled_by"))
    assert by == {theirs.pk: support.pk, mine.pk: administrator.pk}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["waiting", "confirmed", "another_sum"])
def test_of_two_who_decide_at_the_same_moment_one_is_told_of_the_other(
    payment_in, administrator, support, state
):
    fitting = [name for name in WAYS if state in WAYS[name].fits]
    for first, second in product(fitting, fitting):
        payment = payment_in(state)
        seen = frozenset(decision.name for decision in decisions_about(payment))
        moves = PaymentMove.objects.count()
        acts = [
            partial(decide, WAYS[name], payment, by, seen)
            for name, by in ((first, support), (second, administrator))
        ]
        outcomes = at_once(*acts, before_writing=Payment, refused=(DecidedMeanwhile,))
        refused = [isinstance(outcome, DecidedMeanwhile) for outcome in outcomes]
        assert sorted(refused) == [False, True], (first, second)
        winner = (support, administrator)[refused.index(False)]
        assert str(winner) in str(outcomes[refused.index(True)])
        assert PaymentMove.objects.count() <= moves + 2


def decide(how: Way, payment: Payment, by: User, seen: Seen) -> None:
    subject: dict[str, Any] = {"payment": payment}
    if how.action == "settle":
        subject = {"finding": Finding.objects.get(payment=payment)}
    how.service(**subject, by=by, seen=seen, **how.answers)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [2, 20])
def test_many_payments_are_asked_about_with_as_many_queries_as_two(
    payment_in, client_of, administrator, number, django_assert_max_num_queries
):
    payments = [payment_in("waiting") for _number in range(number)]
    form = {"action": "reject_many", "_selected_action": [payment.pk for payment in payments]}
    client = client_of(administrator)
    with django_assert_max_num_queries(20):
        asked = client.post(reverse("admin:payments_payment_changelist"), form)
    assert len(asked.context["rows"]) == number

"""Findings, disputes and refunds in the admin."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from lms.models import Access
from payments.models import Finding, FindingKind
from payments.services import consistency, staff
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def page(model, name="changelist", *args):
    return reverse(f"admin:payments_{model}_{name}", args=args)


@pytest.fixture
def finding():
    return Finding.objects.create(
        kind=FindingKind.PAID_TWICE,
        payment=PaymentFactory.create(paid=True),
        reference="payment:1",
        params={"times": 2},
    )


@pytest.fixture
def lost(administrator):
    payment = PaymentFactory.create()
    staff.confirm_payment(payment=payment, by=administrator, reason="came")
    Access.objects.all().delete()
    consistency.check_payments()
    return Finding.objects.get()


def with_rights(*names):
    user = UserFactory.create(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


def offered(response):
    return {name for name in ("repair", "settle") if f"/{name}/" in response.text}


def test_open_findings_come_first_and_lead_to_their_payment(client_of, support, finding):
    closed = Finding.objects.create(
        kind=FindingKind.PAID_TWICE,
        reference="payment:1",
        params={"times": 3},
        status="repaired",
        closed_at=timezone.now(),
    )
    newest = Finding.objects.create(kind="paid_without_access", reference="payment:2")
    response = client_of(support).get(page("finding"))
    assert list(response.context["cl"].result_list) == [newest, finding, closed]
    assert "It has been paid for 2 times" in response.text
    assert page("payment", "change", finding.payment_id) in response.text
    chosen = {"status__exact": "open", "kind__exact": "paid_twice"}
    response = client_of(support).get(page("finding"), chosen)
    assert list(response.context["cl"].result_list) == [finding]


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (("view_payment",), set()),
        (("view_payment", "refund_payment"), {"repair", "settle"}),
        (("view_payment", "confirm_payment"), {"repair", "settle"}),
    ],
)
def test_who_decides_about_money_settles_findings(client_of, lost, rights, expected):
    client = client_of(with_rights(*rights))
    assert offered(client.get(page("finding", "change", lost.pk))) == expected
    response = client.post(page("finding", "settle", lost.pk), {"reason": "Known"})
    lost.refresh_from_db()
    assert (response.status_code, lost.status) == ((302, "settled") if expected else (403, "open"))


def test_nobody_without_the_book_sees_any_of_it(client_of, moderator):
    for model in ("finding", "dispute", "refund"):
        assert client_of(moderator).get(page(model)).status_code == 403


def test_a_finding_is_settled_with_a_reason(client_of, support, finding):
    client = client_of(support)
    address = page("finding", "settle", finding.pk)
    assert "It has been paid for 2 times" in client.get(address).text
    assert client.post(address, {"reason": ""}).status_code == 200
    client.post(address, {"reason": "A gift for a friend"})
    finding.refresh_from_db()
    assert (finding.status, finding.settled_by, finding.settled_reason) == (
        "settled",
        support,
        "A gift for a friend",
    )
    changed = client.get(page("finding", "change", finding.pk))
    assert "A gift for a friend" in changed.text
    assert offered(changed) == set()


def test_many_findings_are_settled_with_one_reason(client_of, support, finding):
    other = Finding.objects.create(kind="refund_failed", reference="refund:1", params={})
    other.params = {"amount": ["5.00", "RUB"], "reason": ""}
    other.save()
    chosen = {"action": "settle_many", "_selected_action": [finding.pk, other.pk]}
    client_of(support).post(page("finding"), chosen | {"confirm": "yes", "reason": "Known"})
    assert set(Finding.objects.values_list("status", "settled_reason")) == {("settled", "Known")}


def test_a_finding_is_repaired_where_it_can_be(client_of, support, lost, finding):
    client = client_of(support)
    assert offered(client.get(page("finding", "change", finding.pk))) == {"settle"}
    assert offered(client.get(page("finding", "change", lost.pk))) == {"repair", "settle"}
    client.post(page("finding", "repair", lost.pk))
    lost.refresh_from_db()
    assert (lost.status, Access.objects.active().count()) == ("repaired", 1)


def test_what_stays_wrong_says_so(client_of, support, stripe_sandbox, lost):
    """Stripe does not know the session: a person has to decide."""
    payment = PaymentFactory.create(method="stripe", session_id="cs_gone", paid=True)
    other = Finding.objects.create(
        kind="stripe_says_otherwise",
        payment=payment,
        reference=payment.reference,
        params={"ours": "paid", "theirs": "expired"},
    )
    response = client_of(support).post(page("finding", "repair", other.pk), follow=True)
    assert response.status_code == 200


def test_disputes_to_answer_come_first_with_their_deadline_in_colour(client_of, support):
    now = timezone.now()
    rows = {
        "won": DisputeFactory.create(status="won", evidence_due_by=now - timedelta(days=9)),
        "review": DisputeFactory.create(status="under_review", evidence_due_by=now),
        "later": DisputeFactory.create(evidence_due_by=now + timedelta(days=5)),
        "soon": DisputeFactory.create(evidence_due_by=now + timedelta(days=2)),
        "unknown": DisputeFactory.create(evidence_due_by=None),
    }
    response = client_of(support).get(page("dispute"))
    expected = [rows[name] for name in ("soon", "later", "unknown", "review", "won")]
    assert list(response.context["cl"].result_list) == expected
    deadline = response.context["cl"].model_admin.deadline
    colours = [getattr(deadline(row), "key", "") for row in expected]
    assert colours == ["soon", "later", "", "no matter", "no matter"]
    assert "fraud: the cardholder did not pay" in response.text
    assert page("payment", "change", rows["soon"].payment_id) in response.text
    for value, names in (("answer", expected[:3]), ("open", expected[:4])):
        response = client_of(support).get(page("dispute"), {"attention": value})
        assert list(response.context["cl"].result_list) == names


def test_refunds_that_wait_and_that_failed_are_seen(client_of, support):
    waiting = RefundFactory.create(status="requested")
    failed = RefundFactory.create(status="failed", failure="declined")
    RefundFactory.create()
    response = client_of(support).get(page("refund"))
    assert len(re.findall(r"/payments/payment/\d+/change/", response.text)) >= 3
    for row in (waiting, failed):
        response = client_of(support).get(page("refund"), {"status__exact": row.status})
        assert list(response.context["cl"].result_list) == [row]
    assert (
        "declined by the bank" in client_of(support).get(page("refund", "change", failed.pk)).text
    )


@pytest.mark.parametrize(
    ("status", "livemode", "place"),
    [
        ("needs_response", False, "/test/payments/pi_7"),
        ("other", True, "/payments/pi_7"),
        ("won", True, None),
    ],
)
def test_a_dispute_that_is_open_leads_to_where_it_is_answered(
    client_of, support, status, livemode, place
):
    payment = PaymentFactory.create(paid=True, livemode=livemode, payment_intent_id="pi_7")
    dispute = DisputeFactory.create(payment=payment, status=status)
    text = client_of(support).get(page("dispute", "change", dispute.pk)).text
    assert re.findall(r"https://dashboard\.stripe\.com([^\"]+)", text) == ([place] if place else [])


@pytest.mark.parametrize(
    ("livemode", "account_id", "place"),
    [
        (True, "", "/payments/pi_7"),
        (False, "", "/test/payments/pi_7"),
        (True, "acct_1", "/acct_1/payments/pi_7"),
        (False, "acct_1", "/acct_1/test/payments/pi_7"),
        (None, "", "/payments/pi_7"),
    ],
)
def test_a_payment_leads_to_itself_in_stripes_dashboard(
    client_of, support, livemode, account_id, place
):
    """In the account and the mode that it was made in, as the addresses of Stripe's logs are."""
    payment = PaymentFactory.create(
        paid=True,
        method="stripe",
        livemode=livemode,
        account_id=account_id,
        payment_intent_id="pi_7",
    )
    text = client_of(support).get(page("payment", "change", payment.pk)).text
    assert re.findall(r"https://dashboard\.stripe\.com([^\"]+)", text) == [place]


def test_a_payment_that_stripe_knows_nothing_of_leads_nowhere(client_of, support):
    payment = PaymentFactory.create(paid=True)
    text = client_of(support).get(page("payment", "change", payment.pk)).text
    assert "dashboard.stripe.com" not in text


@pytest.mark.parametrize("number", [2, 20])
@pytest.mark.parametrize("model", ["finding", "dispute", "refund"])
def test_queries_of_the_lists_do_not_grow(
    client_of, administrator, django_assert_max_num_queries, model, number
):
    for payment in PaymentFactory.create_batch(number, paid=True, method="stripe"):
        DisputeFactory.create(payment=payment)
        RefundFactory.create(payment=payment, by=UserFactory.create())
        Finding.objects.create(
            kind="paid_without_access", payment=payment, reference=payment.reference
        )
    client = client_of(administrator)
    client.get(page(model))
    with django_assert_max_num_queries(6):
        response = client.get(page(model))
    assert len(response.context["cl"].result_list) == number

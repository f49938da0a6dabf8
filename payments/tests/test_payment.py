"""What the book says of itself: what came on which day, what is seen by nobody, how it is found."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import serializers

from payments.models import Payment
from payments.statistics import days_since
from payments.tests.factories import DisputeFactory, PaymentFactory

pytestmark = pytest.mark.django_db

# Midnight in Moscow.
MIDNIGHT = datetime(2026, 11, 19, 21, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_revenue_is_what_came_less_what_went_on_the_day_in_each_currency(settings):
    assert settings.TIME_ZONE == "Europe/Moscow"

    def paid(amount, at, **fields):
        PaymentFactory.create(amount=amount, paid_at=at, **{"status": "paid"} | fields)

    paid("0.20", MIDNIGHT + timedelta(days=1), method="transfer")
    paid("0.10", MIDNIGHT + timedelta(days=1), method="stripe")
    paid("0.10", MIDNIGHT + timedelta(days=1))
    paid("0.20", MIDNIGHT + timedelta(days=2) - SECOND)
    paid("5.00", MIDNIGHT + timedelta(days=1) - SECOND)
    paid("7.00", MIDNIGHT)
    paid("3.00", MIDNIGHT, method="transfer")
    paid("100.00", MIDNIGHT - SECOND)
    paid("200.00", MIDNIGHT, currency="USD")
    paid("400.00", MIDNIGHT, status="refunded")
    PaymentFactory.create(created_at=MIDNIGHT)
    disputed = {"payment__paid_at": MIDNIGHT, "payment__status": "paid"}
    lost = {"status": "lost", "told_at": MIDNIGHT + timedelta(days=1)}
    DisputeFactory.create(**disputed, payment__amount="800.00", **lost)
    DisputeFactory.create(**disputed, payment__amount="9.00", status="won")
    days = {
        currency: [(day, sums.amount) for day, sums in of_currency.by("day").items()]
        for currency, of_currency in days_since(date(2026, 11, 1)).by("currency").items()
    }
    assert days == {
        "RUB": [
            (date(2026, 11, 19), Decimal("100.00")),
            (date(2026, 11, 20), Decimal("824.00")),
            (date(2026, 11, 21), Decimal("-799.40")),
        ],
        "USD": [(date(2026, 11, 20), Decimal("200.00"))],
    }


def test_a_payment_at_stripe_is_seen_from_its_page_on_or_once_it_is_settled(
    api, learner, administrator
):
    """What came from another book never had a page."""
    shown = {PaymentFactory.create(payer=learner, method="stripe", session_id="cs_1").pk}
    for status in ("paid", "refunded", "failed", "expired"):
        traits: dict[str, Any] = (
            {status: True} if status in {"paid", "refunded"} else {"status": status}
        )
        shown.add(PaymentFactory.create(payer=learner, method="stripe", **traits).pk)
    half_made = PaymentFactory.create(payer=learner, method="stripe")
    for person in (learner, administrator):
        items = api(person).get("payments").json()["items"]
        assert {item["id"] for item in items} == shown
        assert api(person).get(f"payments/{half_made.pk}").status_code == 404
        assert api(person).get(f"payments/{half_made.pk}/status").status_code == 404


def test_nobody_sees_no_payment():
    PaymentFactory.create()
    assert not Payment.objects.visible_to(AnonymousUser()).exists()


def test_a_payment_is_found_by_its_whole_ids_and_parts_of_its_words():
    payment = PaymentFactory.create(
        title="Bread", external_id="LEDGER-7", session_id="cs_test_7", payment_intent_id="pi_7"
    )
    PaymentFactory.create()
    # People who left paid, too.
    payment.payer.email, payment.payer.is_active = "gone@school.example", False
    payment.payer.save()
    for text in ("rea", "LEDGER-7", "cs_test_7", "pi_7", "GONE@", str(payment.pk)):
        assert payment in Payment.objects.found_by_staff(text), text
    for text in ("LEDGER", "cs_test", "pi_", "9" * 18, "9" * 19, "9" * 30, "9" * 5000, "-1"):
        assert payment not in Payment.objects.found_by_staff(text), text


def test_a_payment_is_named_in_fixtures_by_its_number_in_the_other_book():
    imported = PaymentFactory.create(external_id="A-1")
    own = PaymentFactory.create()
    assert (imported.natural_key(), own.natural_key()) == (("A-1",), ())
    assert Payment.objects.get_by_natural_key("A-1") == imported
    written = serializers.serialize(
        "python", [imported, own], use_natural_primary_keys=True, use_natural_foreign_keys=True
    )
    assert [("pk" in row, row["fields"]["payer"]) for row in written] == [
        (False, (imported.payer.email,)),
        (True, (own.payer.email,)),
    ]

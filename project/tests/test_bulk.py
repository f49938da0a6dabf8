"""Rows that are written without model objects are as Django would have written them."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection

from lms.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from project.common.db.bulk import insert_rows, many_writes, reserve_ids
from project.mail.models import Delivery, Mailing

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_values_are_read_as_they_were_written_and_the_rest_are_defaults() -> None:
    mailing = Mailing.objects.create(kind="notice", key="x")
    claim, people = uuid.uuid4(), UserFactory.create_batch(2)
    columns = ["recipient_id", "mailing_id", "claim", "finished_at"]
    rows = [(people[0].pk, mailing.pk, claim, NOW), (people[1].pk, mailing.pk, None, None)]
    insert_rows(Delivery, columns, iter(rows))
    written = Delivery.objects.order_by("id")
    assert list(written.values_list(*columns)) == rows
    assert set(written.values_list("status", "urgent", "attempts", "error")) == {
        ("waiting", False, 0, "")
    }
    # A default that is a function is asked for each row.
    assert all(delivery.due_at.tzinfo for delivery in written)


def columns_of(payment: Payment) -> dict[str, Any]:
    """Its values, but for the two that no other payment has."""
    names = [field.attname for field in Payment._meta.concrete_fields]
    return {name: getattr(payment, name) for name in names if name not in {"id", "token"}}


def test_amounts_keep_their_places() -> None:
    columns = columns_of(PaymentFactory.create())
    columns |= {"amount": Decimal("10.5"), "external_id": "x"}
    insert_rows(Payment, list(columns), [list(columns.values())])
    assert str(Payment.objects.get(external_id="x").amount) == "10.50"


def test_constraints_hold() -> None:
    mailing, person = Mailing.objects.create(kind="notice", key="x"), UserFactory.create()
    with pytest.raises(IntegrityError):
        insert_rows(Delivery, ["recipient_id", "mailing_id"], [(person.pk, mailing.pk)] * 2)


@pytest.mark.parametrize("before", [0, 3])
def test_reserved_ids_are_free_and_stay_so(before: int) -> None:
    payments = PaymentFactory.create_batch(before)
    ids = reserve_ids(Payment, 3)
    assert len(set(ids)) == 3
    assert ids == sorted(ids)
    assert not set(ids) & {payment.pk for payment in payments}
    columns = columns_of(PaymentFactory.build(payer=UserFactory.create(), course=CourseFactory()))
    rows = [[*columns.values(), pk] for pk in ids]
    insert_rows(Payment, [*columns, "id"], rows)
    assert PaymentFactory.create().pk > max(ids)
    assert reserve_ids(Payment, 1)[0] > max(ids)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL needs nothing of it")
@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_sqlite_has_a_large_cache_while_much_is_written_and_only_then(error: Any) -> None:
    def cache() -> int:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA cache_size")
            return int(cursor.fetchone()[0])

    usual = cache()
    try:
        with many_writes():
            assert cache() == -64 * 1024
            if error:
                raise error
    except ZeroDivisionError:
        assert error
    assert cache() == usual

"""Who reads which payments, filtered and ordered how."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from lms.models import Course
from payments.models import DisputeStatus, PaymentMethod, PaymentStatus
from payments.schemas import PaymentOut
from payments.tests.factories import DisputeFactory, PaymentFactory
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PAYMENT_FIELDS = {
    "id", "user_id", "course_id", "lesson_id", "title", "amount", "refunded_amount", "currency",
    "method", "status", "is_disputed", "payment_url", "instructions", "receipt_url", "created_at",
    "paid_at",
}  # fmt: skip
SOME_DAY = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ids(response):
    assert response.status_code == 200, response.content
    return [payment["id"] for payment in response.json()["items"]]


def test_a_payment_shows_what_was_agreed_at_the_time_of_purchase(api, learner):
    payment = PaymentFactory.create(
        payer=learner, paid=True, paid_at=SOME_DAY, created_at=SOME_DAY, amount=Decimal("10.5")
    )
    Course.objects.update(title="Renamed since", price=Decimal(99))
    read = api(learner).get(f"payments/{payment.pk}").json()
    assert set(read) == PAYMENT_FIELDS
    assert read == {
        "id": payment.pk,
        "user_id": learner.pk,
        "course_id": payment.course_id,
        "lesson_id": None,
        "title": payment.title,
        "amount": "10.50",
        "refunded_amount": "0.00",
        "currency": "RUB",
        "method": "cash",
        "status": "paid",
        "is_disputed": False,
        "payment_url": None,
        "instructions": None,
        "receipt_url": f"https://parta.school.example/payments/receipt/{payment.token}/",
        "created_at": "2026-05-01T12:00:00Z",
        "paid_at": "2026-05-01T12:00:00Z",
    }


@pytest.mark.parametrize("minutes", [-1, 60])
@pytest.mark.parametrize("status", PaymentStatus.values)
def test_a_payment_is_as_its_row_says(api, administrator, status, minutes):
    """It is read without a model object (payments/queries.py)."""
    payment = PaymentFactory.create(
        for_lesson=minutes > 0,
        method=PaymentMethod.STRIPE,
        status=status,
        session_id="cs_test_1",
        session_url="https://checkout.stripe.com/c/pay/cs_test_1",
        session_expires_at=timezone.now() + timedelta(minutes=minutes),
        paid_at=SOME_DAY if status in {"paid", "refunded"} else None,
    )
    payment.refresh_from_db()
    said = PaymentOut.model_validate(payment).model_dump(mode="json")
    assert api(administrator).get(f"payments/{payment.pk}").json() == said
    assert api(administrator).get("payments").json()["items"] == [said]
    assert bool(said["payment_url"]) == (status == "pending" and minutes > 0)


@pytest.mark.parametrize("url", ["", "https://checkout.stripe.com/c/pay/cs_test_1"])
@pytest.mark.parametrize("closes", [None, datetime(2099, 1, 1, tzinfo=UTC)])
def test_a_page_is_shown_while_it_is_known_to_be_open(api, learner, url, closes):
    payment = PaymentFactory.create(
        payer=learner,
        method="stripe",
        session_id="cs_1",
        session_url=url,
        session_expires_at=closes,
    )
    expected = url if url and closes else None
    assert payment.payment_url == expected
    assert api(learner).get(f"payments/{payment.pk}").json()["payment_url"] == expected


@pytest.mark.parametrize("status", DisputeStatus.values)
def test_a_payment_is_disputed_until_the_dispute_came_to_nothing(api, learner, status):
    payment = DisputeFactory.create(payment__payer=learner, status=status).payment
    PaymentFactory.create(payer=learner, paid=True)
    over = {"warning_closed", "prevented", "won"}
    items = api(learner).get("payments?ordering=amount").json()["items"]
    assert [item["is_disputed"] for item in items] == [status not in over, False]
    read = api(learner).get(f"payments/{payment.pk}").json()
    assert read["is_disputed"] == payment.is_disputed == (status not in over)


@pytest.mark.parametrize("status", PaymentStatus.values)
@pytest.mark.parametrize("method", PaymentMethod.values)
def test_the_school_says_how_to_pay_while_that_is_of_use(api, learner, settings, method, status):
    settings.PAYMENT_INSTRUCTIONS_CASH = "At the desk.\nMondays."
    settings.PAYMENT_INSTRUCTIONS_TRANSFER = "To account 1."
    paid = {"paid_at": SOME_DAY} if status in {"paid", "refunded"} else {}
    payment = PaymentFactory.create(
        payer=learner, method=method, status=status, session_id="cs_1", **paid
    )
    texts = {"cash": "At the desk.\nMondays.", "transfer": "To account 1."}
    said = api(learner).get("payments").json()["items"][0]
    assert said == api(learner).get(f"payments/{payment.pk}").json()
    if method != "stripe":
        assert said == api(learner).get(f"payments/{payment.pk}/status").json()
    assert said["instructions"] == (texts.get(method) if status == "pending" else None)
    assert bool(said["receipt_url"]) == (status in {"paid", "refunded"})
    settings.PAYMENT_INSTRUCTIONS_CASH = settings.PAYMENT_INSTRUCTIONS_TRANSFER = " "
    assert api(learner).get(f"payments/{payment.pk}").json()["instructions"] is None


@pytest.mark.parametrize("reader", ["author", "stranger", "moderator"])
def test_payments_of_others_are_not_there(api, learner, request, reader):
    """Not even for moderators, nor for the author of the course."""
    person = request.getfixturevalue(reader)
    payment = PaymentFactory.create(payer=learner, course__owner=person)
    assert api(person).get(f"payments/{payment.pk}").status_code == 404
    assert ids(api(person).get("payments")) == []


@pytest.mark.parametrize("reader", ["learner", "author", "moderator", "administrator"])
def test_a_person_reads_their_own_payments_and_an_administrator_all(api, stranger, request, reader):
    person = request.getfixturevalue(reader)
    others = PaymentFactory.create(payer=stranger)
    own = PaymentFactory.create_batch(3, payer=person, course=others.course)
    seen = [payment.pk for payment in own] + [others.pk] * (reader == "administrator")
    assert sorted(ids(api(person).get("payments"))) == sorted(seen)
    for payment in (*own, others):
        read = api(person).get(f"payments/{payment.pk}")
        if payment.pk in seen:
            assert (read.json()["id"], read.json()["user_id"]) == (payment.pk, payment.payer_id)
        else:
            assert read.status_code == 404


@pytest.mark.parametrize("path", ["payments", "payments/1"])
def test_without_a_token_nothing_is_read(api, db, path):
    assert api(None).get(path).status_code == 401


@pytest.mark.parametrize("payment_id", ["0", "-1", "x", "9" * 40, "1.0", "%00"])
def test_an_id_of_nothing_is_404(api, learner, payment_id):
    assert api(learner).get(f"payments/{payment_id}").status_code == 404


def test_who_asks_all_the_time_has_to_wait_and_a_namesake_has_not(api, learner, settings):
    settings.THROTTLE_STATUS = "3/min"
    namesake = UserFactory.create(first_name=learner.first_name)
    own, other = (PaymentFactory.create(payer=payer) for payer in (learner, namesake))
    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked = [api(learner).get(f"payments/{own.pk}/status") for _time in range(4)]
        assert [answer.status_code for answer in asked] == [200, 200, 200, 429]
        assert asked[-1]["Retry-After"] == "60"
        assert api(namesake).get(f"payments/{other.pk}/status").status_code == 200
        clock.shift(timedelta(seconds=61))
        assert api(learner).get(f"payments/{own.pk}/status").status_code == 200


def test_filters_narrow_the_list(api, learner):
    cash = PaymentFactory.create(payer=learner)
    lesson = PaymentFactory.create(payer=learner, for_lesson=True, method=PaymentMethod.TRANSFER)
    paid = PaymentFactory.create(payer=learner, paid=True)
    # Somebody else's, of every kind.
    PaymentFactory.create(course=cash.course)
    PaymentFactory.create(course=None, lesson=lesson.lesson, method=PaymentMethod.TRANSFER)
    PaymentFactory.create(course=paid.course, paid=True)
    get = api(learner).get
    assert ids(get(f"payments?course_id={cash.course_id}")) == [cash.pk]
    assert ids(get(f"payments?lesson_id={lesson.lesson_id}")) == [lesson.pk]
    assert ids(get("payments?method=transfer")) == [lesson.pk]
    assert ids(get("payments?status=paid")) == [paid.pk]
    assert ids(get(f"payments?status=paid&course_id={cash.course_id}")) == []
    assert ids(get("payments?course_id=9223372036854775807")) == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("course_id=x", "course_id"),
        ("course_id=0", "course_id"),
        ("lesson_id=99999999999999999999", "lesson_id"),
        ("method=gold", "method"),
        ("method=", "method"),
        ("status=lost", "status"),
        ("status=%00", "status"),
        ("ordering=id", "ordering"),
        ("ordering=-created_at", "ordering"),
        ("ordering=--amount", "ordering"),
        ("ordering=payer__password", "ordering"),
        ("ordering=", "ordering"),
        ("page=0", "page"),
        ("page=x", "page"),
    ],
)
def test_a_wrong_query_is_named(api, learner, query, name):
    response = api(learner).get(f"payments?{query}")
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["errors"]] == [["query", name]]


def test_every_ordering_is_total_and_puts_unpaid_last(api, learner):
    def paid(days, amount):
        return PaymentFactory.create(
            payer=learner, paid=True, paid_at=SOME_DAY + timedelta(days=days), amount=amount
        ).pk

    first, second, twin = paid(1, 30), paid(2, 10), paid(2, 10)
    unpaid, another = (PaymentFactory.create(payer=learner, amount=20).pk for _ in range(2))
    get = api(learner).get
    assert ids(get("payments?ordering=paid_at")) == [first, second, twin, unpaid, another]
    assert ids(get("payments?ordering=-paid_at")) == [twin, second, first, another, unpaid]
    assert ids(get("payments")) == [twin, second, first, another, unpaid]
    assert ids(get("payments?ordering=amount")) == [second, twin, unpaid, another, first]
    assert ids(get("payments?ordering=-amount")) == [first, another, unpaid, twin, second]


def test_pages_hold_every_payment_once(api, learner):
    expected = {PaymentFactory.create(payer=learner).pk for _ in range(5)}
    pages = [api(learner).get(f"payments?page={page}&page_size=2") for page in (1, 2, 3)]
    assert {payment for page in pages for payment in ids(page)} == expected
    assert [len(ids(page)) for page in pages] == [2, 2, 1]
    assert pages[0].json() | {"items": []} == {
        "items": [], "count": 5, "page": 1, "page_size": 2, "pages": 3,
    }  # fmt: skip


@pytest.mark.parametrize("rows", [2, 20])
def test_number_of_queries_does_not_depend_on_the_rows(
    api, learner, django_assert_num_queries, rows
):
    PaymentFactory.create_batch(rows, payer=learner, status=PaymentStatus.PENDING)
    client = api(learner)
    # The account of the token, the number of payments, the payments.
    with django_assert_num_queries(3):
        assert len(ids(client.get(f"payments?page_size={rows}"))) == rows

"""Where the buyer lands after Stripe's page, without the application."""

import pytest
from django.core.cache import cache
from redis.exceptions import ConnectionError as RedisConnectionError

from payments.models import PaymentMove
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import can_learn, the_payment

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


@pytest.mark.parametrize("page", ["success", "cancelled"])
def test_the_landing_pages_show_the_payment_and_grant_nothing(
    client, api, learner, lesson, buy, page
):
    buy()
    payment = the_payment()
    response = client.get(f"/payments/{page}/{payment.token}/?session_id={payment.session_id}")
    assert response.status_code == 200
    assert "Bread" in response.text
    assert not can_learn(api, learner, lesson)


def test_the_success_page_is_told_what_stripe_says(
    client, api, learner, lesson, buy, stripe_sandbox
):
    buy()
    payment = the_payment()
    path = f"/payments/success/{payment.token}/status"
    assert client.get(path).json() == {"status": "pending"}
    stripe_sandbox.sandbox.pay(payment.session_id)
    # While Stripe does not answer, what is known is the best that can be told.
    stripe_sandbox.api.faults.append(Fault("unavailable", "retrieve_session", times=3))
    assert client.get(path).json() == {"status": "pending"}
    assert client.get(path).json() == {"status": "paid"}
    assert can_learn(api, learner, lesson)
    assert PaymentMove.objects.get().source == "status"


def test_who_asks_without_end_hears_what_is_known_and_stripe_is_left_alone(
    client, settings, buy, stripe_sandbox, asked
):
    settings.THROTTLE_STATUS = "3/min"
    settings.PROXIES = 1
    buy()
    payment = the_payment()
    asked.clear()
    path = f"/payments/success/{payment.token}/status"

    def ask(number):
        return client.get(path, headers={"X-Forwarded-For": f"192.0.2.{number}"})

    assert [ask(number).status_code for number in range(4)] == [200, 200, 200, 429]
    stripe_sandbox.sandbox.pay(payment.session_id)
    response = ask(5)
    assert (response.status_code, response.json()) == (429, {"status": "pending"})
    assert 1 <= int(response["Retry-After"]) <= 60
    assert "no-store" in response["Cache-Control"]
    assert len(asked) == 3


def test_one_address_asks_about_many_payments_no_more_often(client, settings):
    settings.THROTTLE_STATUS = "3/min"
    paths = [f"/payments/success/{PaymentFactory.create().token}/status" for _ in range(4)]
    assert [client.get(path).status_code for path in paths] == [200, 200, 200, 429]


def test_who_asks_while_the_cache_is_down_is_answered(client, monkeypatch):
    def down(*_arguments, **_options):
        raise RedisConnectionError

    path = f"/payments/success/{PaymentFactory.create().token}/status"
    monkeypatch.setattr(cache, "get_or_set", down)
    assert client.get(path).json() == {"status": "pending"}


LANDING = ("success/{}/", "success/{}/status", "cancelled/{}/")


@pytest.mark.parametrize("page", LANDING)
def test_a_landing_page_of_no_payment_is_absent(client, learner, course, page):
    half_made = PaymentFactory.create(payer=learner, course=course, method="stripe")
    for token in ("00000000-0000-4000-8000-000000000000", half_made.token):
        assert client.get(f"/payments/{page.format(token)}").status_code == 404


@pytest.mark.parametrize("page", LANDING)
def test_a_landing_page_tells_of_its_own_payment_only_reads_and_is_never_kept(
    client, learner, page
):
    PaymentFactory.create(payer=learner, title="Another")
    payment = PaymentFactory.create(title="Mine", paid=True)
    path = f"/payments/{page.format(payment.token)}"
    response = client.get(path)
    assert response.status_code == 200
    assert "Another" not in response.text
    if page.endswith("status"):
        assert response.json() == {"status": "paid"}
    else:
        assert "Mine" in response.text
        assert 'href="https://school.example' in response.text
    assert "no-store" in response["Cache-Control"]
    assert client.post(path).status_code == 405

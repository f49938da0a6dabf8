"""Many orders confirmed at once, from the list: one page, a row for each."""

import re
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from project.mail.models import Mailing

pytestmark = pytest.mark.django_db

LIST = "/admin/payments/payment/"


@pytest.fixture
def accountant(db):
    user = UserFactory.create(is_staff=True, first_name="Vera")
    rights = ["view_payment", "confirm_payment"]
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


@pytest.fixture
def ask(client_of, accountant):
    """Choose rows of the list, and press the button for them."""
    client = client_of(accountant)

    def choose(action, orders, **answers):
        return client.post(
            LIST, {"action": action, "_selected_action": [one.pk for one in orders]} | answers
        )

    return choose


@pytest.fixture
def answer(ask):
    """The same, and answer as the page was filled in; `texts` are the messages that come of it."""

    def send(action, orders, page=None, **answers):
        page = page or ask(action, orders)
        form = page.context["form"]
        filled = {
            field.html_name: "on" if field.value() is True else field.value() or ""
            for field in form
            if field.value() is not False
        }
        known = {"confirm": "1", "reason": "Statement", "seen_state": page.context["seen"]}
        response = ask(action, orders, **(filled | known | answers))
        response.texts = [str(one) for one in get_messages(response.wsgi_request)]
        return response

    return send


def test_thirty_are_confirmed_by_one_page_each_on_its_day(
    answer, ask, django_assert_max_num_queries
):
    orders = PaymentFactory.create_batch(30, method="transfer")
    page = ask("confirm_many", orders)
    assert page.text.count("data-amount") == 30
    assert "₽59,700" in page.text
    own = {f"day-{orders[0].pk}": "2026-10-31", f"reference-{orders[0].pk}": "BNK-1"}
    response = answer("confirm_many", orders, page, day="2026-11-03", **own)
    assert (response.status_code, response.url) == (302, LIST)
    assert "30 payments were confirmed: ₽59,700." in response.texts
    days = [timezone.localdate(one.paid_at) for one in Payment.objects.order_by("pk")]
    assert days == [date(2026, 10, 31), *[date(2026, 11, 3)] * 29]
    references = Payment.objects.order_by("pk").values_list("bank_reference", flat=True)
    assert list(references) == ["BNK-1", *[""] * 29]
    assert Mailing.objects.filter(kind="payment_received").count() == 30


def test_who_has_not_paid_is_left_out_of_the_sum_and_of_the_deed(answer):
    came, missing = PaymentFactory.create_batch(2)
    response = answer("confirm_many", [came, missing], **{f"take-{missing.pk}": ""})
    assert [one.status for one in Payment.objects.order_by("pk")] == ["paid", "pending"]
    assert response.texts == ["The payment was confirmed."]
    nobody = answer("confirm_many", [missing], **{f"take-{missing.pk}": ""})
    assert "Choose at least one payment." in nobody.text


def test_cash_has_no_reference_and_no_day_is_in_the_future(answer):
    cash, transfer = PaymentFactory.create(), PaymentFactory.create(method="transfer")
    tomorrow = str(timezone.localdate() + timedelta(days=1))
    page = answer("confirm_many", [cash, transfer], **{f"day-{cash.pk}": tomorrow})
    assert list(page.context["form"].errors) == [f"day-{cash.pk}"]
    assert "The day can&#x27;t be in the future." in page.text
    assert re.findall(r'name="reference-(\d+)"', page.text) == [str(transfer.pk)]
    assert not Payment.objects.filter(status="paid").exists()


def test_what_does_not_fit_is_named_and_what_fails_says_why(answer, ask, administrator):
    orders = PaymentFactory.create_batch(2)
    paid = PaymentFactory.create(paid=True, title="Paid before")
    twin = PaymentFactory.create(payer=orders[0].payer, course=orders[0].course, title="Twin")
    page = ask("confirm_many", [*orders, paid, twin])
    assert "Paid before" in page.text
    assert page.text.count("data-amount") == 3
    response = answer("confirm_many", [*orders, paid, twin], page)
    assert "2 payments were confirmed: ₽3,980." in response.texts
    [failure] = [text for text in response.texts if "already paid" in text]
    assert "Twin" in failure or orders[0].title in failure
    assert Payment.objects.filter(status="paid").count() == 3


def test_what_a_colleague_decided_meanwhile_is_left_out_and_named(
    answer, ask, client_of, administrator
):
    orders = PaymentFactory.create_batch(3)
    page = ask("confirm_many", orders)
    reject = reverse("admin:payments_payment_reject", args=[orders[1].pk])
    client_of(administrator).post(reject, {"reason": "Never came"})
    response = answer("confirm_many", orders, page)
    assert [one.status for one in Payment.objects.order_by("pk")] == ["paid", "failed", "paid"]
    assert any(str(administrator) in text for text in response.texts)
    assert "2 payments were confirmed: ₽3,980." in response.texts


def test_nobody_confirms_their_own_among_others(ask, accountant):
    own, other = PaymentFactory.create(payer=accountant), PaymentFactory.create()
    response = ask("confirm_many", [own, other])
    [text] = [str(one) for one in get_messages(response.wsgi_request)]
    assert own.title in text


def test_many_are_rejected_or_undone_at_once(answer):
    orders = PaymentFactory.create_batch(2)
    answer("confirm_many", orders)
    undone = answer("undo_confirmation_many", orders)
    assert undone.texts[-1].startswith("2 payments wait for their money again")
    rejected = answer("reject_many", orders)
    assert "2 payments were rejected: ₽3,980." in rejected.texts
    assert [one.status for one in Payment.objects.all()] == ["failed"] * 2


def test_more_than_a_page_can_ask_about_is_said_before_it_is_filled_in(answer, ask, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 60
    orders = PaymentFactory.create_batch(11, method="transfer")
    page = ask("confirm_many", orders, index="0")
    assert page.url == LIST
    [text] = [str(one) for one in get_messages(page.wsgi_request)]
    assert text == "One page can ask about 9 rows at most: choose fewer."
    answer("confirm_many", orders[:9])
    assert Payment.objects.filter(status="paid").count() == 9


def test_support_is_offered_nothing_of_the_kind(client_of):
    user = UserFactory.create(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_payment"))
    order = PaymentFactory.create()
    client = client_of(user)
    assert "confirm_many" not in client.get(LIST).text
    client.post(
        LIST,
        {"action": "confirm_many", "_selected_action": [order.pk], "confirm": "1", "reason": "?"},
    )
    assert Payment.objects.get().status == "pending"

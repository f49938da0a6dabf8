"""The receipt: what was paid, by whom, to whom, and what went back."""

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from payments.tests.factories import PaymentFactory, RefundFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

# How many lines the text of each of these elements takes.
LINES = """elements => elements.map(element => {
  const text = document.createRange()
  text.selectNodeContents(element)
  return text.getClientRects().length
})"""
NIGHT = datetime(2026, 5, 1, 22, tzinfo=UTC)  # the 2nd of May in Moscow


@pytest.fixture
def payment(learner):
    learner.last_name, learner.language = "Orlov", "en"
    learner.save()
    return PaymentFactory.create(
        payer=learner, title="Bread <at home>", paid=True, paid_at=NIGHT, method="transfer"
    )


@pytest.fixture
def read(api, client, learner):
    """Open the address that the API gives."""

    def go(payment):
        return client.get(urlsplit(payment.receipt_url).path, headers={"Accept-Language": "de"})

    return go


def test_a_receipt_says_what_was_paid_by_whom_and_to_whom(read, payment, settings):
    settings.SCHOOL_NAME, settings.SCHOOL_TAX_ID = "Parta School", "7701234567"
    settings.SCHOOL_ADDRESS, settings.SCHOOL_EMAIL = "1 Oak St\nMoscow", "desk@school.example"
    page = read(payment)
    assert page.status_code == 200
    for text in (
        f"Receipt No. {payment.pk}", "May 2, 2026", "Bread &lt;at home&gt;", "Lev Orlov",
        "transfer", "₽1,990", "Parta School", "1 Oak St<br>Moscow",
        "Tax ID: 7701234567", "desk@school.example", f"https://school.example/payments/{payment.pk}",
    ):  # fmt: skip
        assert text in page.text
    assert "efunded" not in page.text
    assert "no-store" in page["Cache-Control"]
    assert page["X-Robots-Tag"] == "noindex"
    assert page["Content-Language"] == "en"


def test_a_receipt_is_in_the_language_of_the_buyer(read, payment):
    payment.payer.language = "ru"
    payment.payer.save()
    page = read(payment)
    assert f"Квитанция № {payment.pk}" in page.text
    assert "2 мая 2026" in page.text
    assert '<html lang="ru">' in page.text
    assert page["Content-Language"] == "ru"


def test_a_receipt_says_what_went_back(read, payment):
    for status in ("succeeded", "failed", "requested"):
        RefundFactory.create(payment=payment, amount=Decimal(500), status=status, refund_id=status)
    payment.refunded_amount = Decimal(500)
    payment.save()
    page = read(payment)
    assert page.text.count("Refunded on") == 1
    assert "−₽500" in page.text
    assert "₽1,490" in page.text


def test_the_receipt_of_who_was_erased_names_nobody(read, payment):
    payment.payer.erase()
    payment.payer.save()
    page = read(payment)
    assert page.status_code == 200
    assert "Buyer" not in page.text
    assert "erased" not in page.text


@pytest.mark.parametrize("status", ["pending", "processing", "failed", "expired", "cancelled"])
def test_there_is_no_receipt_for_what_is_not_paid(client, status):
    payment = PaymentFactory.create(status=status)
    assert payment.receipt_url is None
    assert client.get(f"/payments/receipt/{payment.token}/").status_code == 404
    assert client.get(f"/payments/receipt/{payment.pk}/").status_code == 404


def test_a_refunded_payment_keeps_its_receipt(read, client):
    payment = PaymentFactory.create(refunded=True)
    assert read(payment).status_code == 200
    assert client.post(f"/payments/receipt/{payment.token}/").status_code == 405


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_receipt_fits_a_phone_and_one_printed_page_whatever_its_names(
    page, payment, settings, language
):
    settings.SCHOOL_NAME = "Общество с ограниченной ответственностью «Школа хлеба» " * 2
    settings.SCHOOL_EMAIL = "a-very-long-address-of-the-desk@school-of-bread-and-crafts.example"
    payer = payment.payer
    payer.first_name, payer.last_name, payer.language = "Константин" * 10, "W" * 100, language
    payer.save()
    payment.title, payment.course = "W" * 200, None
    payment.amount, payment.refunded_amount = Decimal("99999999.00"), Decimal(1000)
    payment.save()
    RefundFactory.create_batch(2, payment=payment, amount=Decimal(500))
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(urlsplit(payment.receipt_url).path)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator(".amount").evaluate_all(LINES) == [1, 1, 1, 1]
    assert page.title().endswith("«Школа хлеба»")
    page.set_viewport_size({"width": 794, "height": 1123})
    page.emulate_media(media="print", color_scheme="dark")
    colours = (
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert page.evaluate(colours) == ["rgb(0, 0, 0)", "rgba(0, 0, 0, 0)"]
    assert page.locator("main a").evaluate_all("all => all.map(one => one.checkVisibility())") == [
        True,  # of the school's email
        False,
    ]
    assert page.pdf(format="A4").count(b"/Type /Page\n") == 1

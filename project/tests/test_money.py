"""Amounts as people read and write them."""

from decimal import Decimal
from urllib.parse import quote

import playwright.sync_api as playwright
import pytest
from django.conf import settings
from django.utils import translation

from project.common.money import (
    around_amounts,
    price_shown,
    read_amount,
    shown,
    spreadsheet_pattern,
)

pytestmark = pytest.mark.any_database

NBSP = "\N{NO-BREAK SPACE}"
# Currency, whole and in part: English, Russian.
AMOUNTS = [
    ("RUB", "₽1,990", "₽1,990.50", "1 990 ₽", "1 990,50 ₽"),
    ("EUR", "€1,990", "€1,990.50", "1 990 €", "1 990,50 €"),
    ("USD", "$1,990", "$1,990.50", "1 990 $", "1 990,50 $"),
    ("CAD", "CA$1,990", "CA$1,990.50", "1 990 CA$", "1 990,50 CA$"),
    ("KZT", "₸1,990", "₸1,990.50", "1 990 ₸", "1 990,50 ₸"),
    ("JPY", "¥1,990", "¥1,990.50", "1 990 ¥", "1 990,50 ¥"),
    ("KWD", "KWD 1,990", "KWD 1,990.500", "1 990 KWD", "1 990,500 KWD"),
    ("CHF", "CHF 1,990", "CHF 1,990.50", "1 990 CHF", "1 990,50 CHF"),
    # There are four `kr`.
    ("SEK", "SEK 1,990", "SEK 1,990.50", "1 990 SEK", "1 990,50 SEK"),
    # Has no parts where people pay cash, and hundredths where they pay by card.
    ("RSD", "RSD 1,990", "RSD 1,990.50", "1 990 RSD", "1 990,50 RSD"),
    # Of a book that was kept elsewhere.
    ("QQQ", "QQQ 1,990", "QQQ 1,990.50", "1 990 QQQ", "1 990,50 QQQ"),
]


@pytest.mark.parametrize(("currency", *"abcd"), AMOUNTS)
def test_amounts_are_written_as_in_the_readers_language(currency, a, b, c, d):
    for language, texts in (("en", (a, b)), ("ru", (c, d))):
        with translation.override(language):
            said = [shown(Decimal(amount), currency) for amount in ("1990.00", "1990.50")]
            assert [one.replace(NBSP, " ") for one in said] == [*texts]
            # Nowhere is an amount torn apart at the end of a line.
            assert " " not in "".join(said)


@pytest.mark.browser
def test_browsers_write_amounts_as_the_server_does(browser: playwright.Browser) -> None:
    module = (settings.BASE_DIR / "project/front/static/front/money.js").read_text()
    page = browser.new_page()
    script = """async ([module, amounts]) => {
        const { shown } = await import(module);
        return amounts.map((one) => shown(...one));
    }"""
    amounts = [
        (amount, currency, language)
        for currency, *_texts in AMOUNTS
        for amount in ("0.00", "1990.00", "-1990.50", "9999999999.99")
        for language in ("en", "ru")
    ]
    written = page.evaluate(script, [f"data:text/javascript,{quote(module)}", amounts])
    page.close()
    for (amount, currency, language), text in zip(amounts, written, strict=True):
        with translation.override(language):
            assert text == shown(Decimal(amount), currency)


def test_amounts_below_each_other_have_the_same_places():
    with translation.override("ru"):
        assert shown(Decimal(4900), "RUB", in_column=True) == f"4{NBSP}900,00{NBSP}₽"
        assert shown(Decimal(4900), "JPY", in_column=True) == f"4{NBSP}900{NBSP}¥"
        assert around_amounts("RUB") == ("", f"{NBSP}₽")
        assert spreadsheet_pattern("RUB") == f'#,##0.00"{NBSP}₽"'
    assert around_amounts("CHF") == (f"CHF{NBSP}", "")
    assert spreadsheet_pattern("ISK") == f'"ISK{NBSP}"#,##0'


def test_what_costs_nothing_is_free():
    assert price_shown(Decimal("0.00"), "RUB") == "Free"
    assert price_shown(Decimal("5.00"), "RUB") == "₽5"
    with translation.override("ru"):
        assert price_shown(Decimal(0), "RUB") == "Бесплатно"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4900", "4900"), ("4 900,50", "4900.50"), ("4,900.50", "4900.50"), ("4.900,5", "4900.50"),
        ("4900.5", "4900.50"), (f"4{NBSP}900{NBSP}₽", "4900"), ("₽4,900", "4900"), ("4900 руб.", "4900"),
        # Money has no thousandths.
        ("4,900", "4900"), ("1,234,567.89", "1234567.89"),
        # Nobody can say what is meant.
        ("1990.000", None), ("1,234,5", None), ("-5", None), ("NaN", None), ("1e3", None), ("", None),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(text, amount):
    assert read_amount(text) == (amount and Decimal(amount))

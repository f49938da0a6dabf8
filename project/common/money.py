"""Currencies and their smallest units. Amounts are exact decimals, never floats.

The tables are those of https://docs.stripe.com/currencies as of September 2026: *Zero-decimal
currencies*, *Special cases*, *Minimum and maximum charge amounts*. Three-decimal currencies stood
there until 2022 (https://web.archive.org/web/20221231002856/https://stripe.com/docs/currencies);
accounts that have them still use them like that.
"""

import re
import unicodedata
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.numbers import format_decimal
from django.utils.translation import get_language, gettext, to_locale

# Decimal places of the smallest unit that Stripe is told amounts in; two for every other currency
# listed.
ZERO_DECIMAL = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
# Stripe takes them in steps of ten of their smallest unit only.
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())  # noqa: SIM905
# Stripe is told their hundredths, and takes whole ones only.
WHOLE_UNITS = frozenset({"ISK", "UGX"})
TWO_DECIMAL = frozenset(
    (  # noqa: SIM905
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD "
        "CAD CDF CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK "
        "MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON "
        "RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU "
        "UZS WST XCD YER ZAR ZMW"
    ).split()
)
# The least that can be charged, if the account is paid out in the same currency; if in another, the
# least of that one, which nobody here knows: then Stripe refuses what is too small. For every currency
# that is not listed no limit is known.
LOWEST_CHARGES = {
    currency: Decimal(amount)
    for currency, amount in {
        "AED": "2.00", "ARS": "0.50", "AUD": "0.50", "BRL": "0.50", "CAD": "0.50", "CHF": "0.50",
        "COP": "0.50", "CZK": "15.00", "DKK": "2.50", "EUR": "0.50", "GBP": "0.30", "HKD": "4.00",
        "HUF": "175.00", "IDR": "0.50", "ILS": "0.50", "INR": "0.50", "JPY": "50", "KRW": "50",
        "MXN": "10", "MYR": "2.00", "NOK": "3.00", "NZD": "0.50", "PHP": "0.50", "PLN": "2.00",
        "RON": "2.00", "RUB": "0.50", "SEK": "3.00", "SGD": "0.50", "THB": "10", "USD": "0.50",
        "ZAR": "0.50",
    }.items()
}  # fmt: skip
# Digits of the smallest unit, at the most, that every method of payment takes; eight of every other
# currency. Most cards take twelve.
DIGITS_OF_CHARGES = {"IDR": 12, "COP": 10, "INR": 9}
# Of every amount that is kept: what can be charged in any currency.
MAX_DIGITS, DECIMAL_PLACES = 12, 2
WHOLE_DIGITS = MAX_DIGITS - DECIMAL_PLACES
# What the column of the database does not hold.
TOO_LARGE = Decimal(10) ** WHOLE_DIGITS
EXPONENTS = (
    dict.fromkeys(TWO_DECIMAL | WHOLE_UNITS, 2)
    | dict.fromkeys(ZERO_DECIMAL, 0)
    | dict.fromkeys(THREE_DECIMAL, 3)
)
# What amounts are multiples of, in smallest units; one of every other currency.
STEPS = dict.fromkeys(WHOLE_UNITS, 100) | dict.fromkeys(THREE_DECIMAL, 10)


def exponent(currency: str) -> int:
    """Return how many decimal places the smallest unit has. Raises KeyError if unknown."""
    return EXPONENTS[currency]


def fits_currency(amount: Decimal, currency: str) -> bool:
    """Say whether exactly this amount can be charged, as far as its digits go."""
    return amount.scaleb(exponent(currency)) % STEPS.get(currency, 1) == 0


def lowest_charge(currency: str) -> Decimal:
    """Return the least that a card can be charged with; 0 if no limit is known."""
    return LOWEST_CHARGES.get(currency, Decimal(0))


def highest_charge(currency: str) -> Decimal:
    """Return the most that can be charged at once. Raises KeyError if the currency is unknown."""
    return Decimal(10 ** DIGITS_OF_CHARGES.get(currency, 8) - 1).scaleb(-exponent(currency))


# Signs that CLDR keeps for those who have only one currency, and that no other currency has: unlike
# `$` and `kr` they tell all. Browsers know them as *narrow symbols*.
SIGNS = {
    "AMD": "֏", "AZN": "₼", "BDT": "৳", "CRC": "₡", "KZT": "₸", "LAK": "₭", "MNT": "₮", "NGN": "₦",
    "PHP": "₱", "PYG": "₲", "RUB": "₽", "THB": "฿", "TRY": "₺", "UAH": "₴",
}  # fmt: skip

# A currency beside an amount: its code, or what Russians write for roubles.
_CURRENCY_WORD = re.compile(r"\b(?:[a-z]{3}|р|руб(?:л\w+)?)\b\.?", re.IGNORECASE)
# What groups the digits is one sign, and another one than what ends the whole.
_WRITTEN_AMOUNT = re.compile(
    r"([0-9]{1,3}([.,])[0-9]{3}(?:\2[0-9]{3})*|[0-9]+)(?:(?!\2)[.,]([0-9]{1,2}))?"
)


def read_amount(text: str) -> Decimal | None:
    """The amount that somebody means who looks for `4900`, `4 900,00`, `4,900.00` or `4900 ₽`; None if
    it is none. In doubt it has no fraction: `4,900` is 4900."""
    plain = unicodedata.normalize("NFKC", text)
    without_signs = "".join(" " if unicodedata.category(one) == "Sc" else one for one in plain)
    digits = "".join(_CURRENCY_WORD.sub("", without_signs).split())
    found = _WRITTEN_AMOUNT.fullmatch(digits)
    if found is None:
        return None
    whole = found[1].replace(",", "").replace(".", "")
    return Decimal(f"{whole}.{found[3] or 0}")


def shown(amount: Decimal, currency: str, *, in_column: bool = False) -> str:
    """An amount as people read it in the present language: `4 900 ₽`, `4 900,50 ₽`. `in_column` gives
    whole ones the places of their currency, too, so that figures stand below each other."""
    places = _places(currency)
    if amount % 1:
        places = max(places, DECIMAL_PLACES)
    elif not in_column:
        places = 0
    locale = to_locale(get_language() or "en")
    return format_decimal(amount, _pattern(currency, locale, places), locale=locale)


def price_shown(price: Decimal, currency: str) -> str:
    return shown(price, currency) if price else gettext("Free")


def around_amounts(currency: str) -> tuple[str, str]:
    """What the present language writes before an amount and after it; one of the two is empty."""
    before, after = re.split("[#,0]+", _pattern(currency, to_locale(get_language() or "en"), 0))
    return before, after


def spreadsheet_pattern(currency: str) -> str:
    """For numbers in a spreadsheet, which knows by itself how its country writes them: as
    `#,##0.00" ₽"`."""
    before, after = around_amounts(currency)
    number = "#,##0." + "0" * _places(currency)
    return "".join((before and f'"{before}"', number.rstrip("."), after and f'"{after}"'))


def _places(currency: str) -> int:
    # The book takes any code; what it can't know is shown with the places that are stored.
    return 0 if currency in WHOLE_UNITS else EXPONENTS.get(currency, DECIMAL_PLACES)


@cache
def _pattern(currency: str, locale: str, places: int) -> str:
    """How CLDR writes amounts, with the sign and the places that are ours."""
    speakers = Locale.parse(locale)
    pattern: str = speakers.currency_formats["standard"].pattern
    sign = speakers.currency_symbols.get(currency, currency)
    if sign == currency:
        sign = SIGNS.get(currency, currency)
    # `$1.50`, but `CHF 1.50`.
    if sign[-1:].isalpha():
        pattern = pattern.replace("¤#", "¤\N{NO-BREAK SPACE}#")
    return pattern.replace("¤", sign).replace(".00", "." + "0" * places if places else "")

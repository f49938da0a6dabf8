"""Currencies and their smallest units. Amounts are exact decimals, never floats."""

from decimal import Decimal

from django.utils.formats import number_format

# Decimal places of the smallest unit, by ISO 4217; two for every other currency listed.
# UGX and ISK, which Stripe treats in a way of its own, are left out on purpose.
ZERO_DECIMAL = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())  # noqa: SIM905
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
# What can be charged at once: as the card networks and Stripe have it, about half a dollar at the
# least. RUB and every currency that is not listed: no such limit is known.
LOWEST_CHARGES = {
    currency: Decimal(amount)
    for currency, amount in {
        "AED": "2.00", "AUD": "0.50", "BGN": "1.00", "BRL": "0.50", "CAD": "0.50", "CHF": "0.50",
        "CZK": "15.00", "DKK": "2.50", "EUR": "0.50", "GBP": "0.30", "HKD": "4.00",
        "HUF": "175.00", "INR": "0.50", "JPY": "50", "MXN": "10", "MYR": "2", "NOK": "3.00",
        "NZD": "0.50", "PLN": "2.00", "RON": "2.00", "SEK": "3.00", "SGD": "0.50", "THB": "10",
        "USD": "0.50",
    }.items()
}  # fmt: skip
# Digits of the smallest unit, at the most; eight of every other currency.
DIGITS_OF_CHARGES = {"IDR": 12}
EXPONENTS = (
    dict.fromkeys(TWO_DECIMAL, 2) | dict.fromkeys(ZERO_DECIMAL, 0) | dict.fromkeys(THREE_DECIMAL, 3)
)


def exponent(currency: str) -> int:
    """Return how many decimal places the smallest unit has. Raises KeyError if unknown."""
    return EXPONENTS[currency]


def fits_currency(amount: Decimal, currency: str) -> bool:
    """Say whether the amount is a whole number of the currency's smallest unit."""
    return amount == amount.quantize(Decimal(1).scaleb(-exponent(currency)))


def lowest_charge(currency: str) -> Decimal:
    """Return the least that a card can be charged with; 0 if no limit is known."""
    return LOWEST_CHARGES.get(currency, Decimal(0))


def highest_charge(currency: str) -> Decimal:
    """Return the most that can be charged at once. Raises KeyError if the currency is unknown."""
    return Decimal(10 ** DIGITS_OF_CHARGES.get(currency, 8) - 1).scaleb(-exponent(currency))


def shown(amount: Decimal, currency: str) -> str:
    """An amount as people read it in the present language, as `1 990,00 RUB`."""
    # The book takes any code; what it can't know is shown with the places that are stored.
    digits = number_format(amount, EXPONENTS.get(currency, 2), force_grouping=True)
    return f"{digits}\N{NO-BREAK SPACE}{currency}"

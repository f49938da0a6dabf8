"""Currencies and their smallest units. Amounts are exact decimals, never floats."""

from decimal import Decimal

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


def exponent(currency: str) -> int:
    """Return how many decimal places the smallest unit has. Raises KeyError if unknown."""
    if currency in TWO_DECIMAL:
        return 2
    if currency in ZERO_DECIMAL:
        return 0
    if currency in THREE_DECIMAL:
        return 3
    raise KeyError(currency)


def fits_currency(amount: Decimal, currency: str) -> bool:
    """Say whether the amount is a whole number of the currency's smallest unit."""
    return amount == amount.quantize(Decimal(1).scaleb(-exponent(currency)))

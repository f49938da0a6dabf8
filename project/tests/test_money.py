"""Amounts as people read them."""

from decimal import Decimal

import pytest
from django.utils import translation

from project.common.money import shown


@pytest.mark.parametrize(
    ("currency", "english", "russian"),
    [
        ("USD", "$1,990.00", "1 990,00 $"),
        ("RUB", "RUB 1,990.00", "1 990,00 ₽"),
        ("JPY", "¥1,990", "1 990 ¥"),
        ("KWD", "KWD 1,990.000", "1 990,000 KWD"),
        # Has no parts where people pay cash, and hundredths where they pay by card.
        ("RSD", "RSD 1,990.00", "1 990,00 RSD"),
        ("ISK", "ISK 1,990", "1 990 ISK"),
        # Of a book that was kept elsewhere.
        ("QQQ", "QQQ 1,990.00", "1 990,00 QQQ"),
    ],
)
def test_amounts_are_written_as_in_the_readers_language(currency, english, russian):
    for language, text in (("en", english), ("ru", russian)):
        with translation.override(language):
            said = shown(Decimal("1990.00"), currency)
            assert said.replace("\N{NO-BREAK SPACE}", " ") == text
            # Nowhere is an amount torn apart at the end of a line.
            assert " " not in said

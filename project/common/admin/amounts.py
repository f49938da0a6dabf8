"""Amounts of money in the forms of the admin."""

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from project.common.money import DECIMAL_PLACES, MAX_DIGITS, around_amounts, read_amount, shown


def typed(amount: Decimal, currency: str) -> str:
    """An amount as it stands in an input, beside its currency."""
    before, after = around_amounts(currency)
    return shown(amount, currency).removeprefix(before).removesuffix(after)


class AmountInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """The currency stands where the language writes it."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        own = {"inputmode": "decimal", "autocomplete": "off", "class": "parta-amount"}
        super().__init__(own | (attrs or {}))
        self.currency = settings.CURRENCY

    def format_value(self, value: Decimal | str | None) -> str | None:
        return typed(value, self.currency) if isinstance(value, Decimal) else value

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        before, after = (one.strip() for one in around_amounts(self.currency))
        side = {"prefix": before} if before else {"suffix": after}
        # For the style: how much room it takes.
        self.attrs |= side | {"style": f"--sign: {len(before or after)}ch"}
        context: dict[str, Any] = super().get_context(name, value, attrs)
        return context


class AmountField(forms.DecimalField):
    """Takes an amount as people write it: `4 900,50`, `4,900.50`, `4900 ₽`."""

    widget = AmountInput

    def __init__(self, **options: Any) -> None:
        named: dict[str, Any] = {
            "label": gettext_lazy("Amount"),
            "max_digits": MAX_DIGITS,
            "decimal_places": DECIMAL_PLACES,
        }
        super().__init__(**named | options)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip():
            amount = read_amount(value)
            if amount is None:
                example = {
                    "example": typed(Decimal("4900.50"), cast(AmountInput, self.widget).currency)
                }
                text = _("Enter an amount like %(example)s.")
                raise ValidationError(text, code="invalid", params=example)
            value = amount
        return super().to_python(value)

"""Fields for what the accountant reads in the bank's statement: the day, the sum and the reference."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.models import Payment
from payments.services.staff import UnfitDay, received_at
from project.common.money import DECIMAL_PLACES, MAX_DIGITS
from project.common.texts import LineField


class DayInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """The browser's own calendar."""

    input_type = "date"

    def format_value(self, value: date | str | None) -> str | None:
        return value.isoformat() if isinstance(value, date) else value or None


class DayField(forms.DateField):
    """The day on which money came, by the school's calendar; none is today."""

    widget = DayInput

    def __init__(self, **options: Any) -> None:
        named: dict[str, Any] = {"label": _("Day the money came"), "initial": localdate}
        super().__init__(required=False, **named | options)

    def validate(self, value: Any) -> None:
        super().validate(value)
        try:
            received_at(value)
        except UnfitDay as error:
            raise ValidationError(str(error), code=error.code) from None


class AmountField(forms.DecimalField):
    """An amount as the language writes it, also in groups of digits: `4 900,00`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            label=_("Amount"),
            max_digits=MAX_DIGITS,
            decimal_places=DECIMAL_PLACES,
            localize=True,
            widget=UnfoldAdminTextInputWidget(
                attrs={"inputmode": "decimal", "autocomplete": "off"}
            ),
            **options,
        )

    def to_python(self, value: Any) -> Any:
        return super().to_python("".join(value.split()) if isinstance(value, str) else value)


def reference_field(**options: Any) -> LineField:
    column = Payment._meta.get_field("bank_reference")
    named: dict[str, Any] = {
        "label": _("Bank reference"),
        "help_text": _("The number of the line in the bank's statement. Only staff see it."),
        "widget": UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    }
    return LineField(max_length=column.max_length, required=False, **named | options)

"""Fields for what the accountant reads in the bank's statement: the day and the reference."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.models import ClosedMonth, Payment
from payments.services.staff import UnfitDay, received_at
from project.common.texts import LineField


class DayInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """The browser's own calendar."""

    input_type = "date"

    def format_value(self, value: date | str | None) -> str | None:
        return value.isoformat() if isinstance(value, date) else value or None


class DayField(forms.DateField):
    """The day on which money came, by the school's calendar; none is today."""

    widget = DayInput

    def __init__(self, *, tells_closed: bool = True, **options: Any) -> None:
        """With `tells_closed` it says what becomes of a day whose month is closed."""
        self.tells_closed = tells_closed
        named: dict[str, Any] = {"label": gettext_lazy("Day the money came"), "initial": localdate}
        super().__init__(required=False, **named | options)

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        self.help_text = in_closed_months() if self.tells_closed else ""
        return super().get_bound_field(form, field_name)

    def validate(self, value: Any) -> None:
        super().validate(value)
        try:
            received_at(value)
        except UnfitDay as error:
            raise ValidationError(str(error), code=error.code) from None


def in_closed_months() -> str:
    """What becomes of days in months that are closed; nothing to say if there are none."""
    first_open = ClosedMonth.objects.first_open()
    if first_open is None:
        return ""
    last = first_open - timedelta(days=1)
    return _("Closed up to %(last)s: a day of a closed month counts in %(first)s.") % {
        "last": date_format(last, "DATE_FORMAT"),
        "first": date_format(first_open, "E Y"),
    }


def reference_field(**options: Any) -> LineField:
    column = Payment._meta.get_field("bank_reference")
    named: dict[str, Any] = {
        "label": gettext_lazy("Bank reference"),
        "help_text": gettext_lazy(
            "The number of the line in the bank's statement. Only staff see it."
        ),
        "widget": UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    }
    return LineField(max_length=column.max_length, required=False, **named | options)

"""The question before months are closed."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import ngettext_lazy, pgettext

from payments.models import Finding, FindingStatus, Payment, Refund
from payments.services.closing import FiguresChanged
from payments.statistics import Month
from project.common.admin.filters import midnight
from project.common.admin.typed import TypedField
from project.common.versions import version_of


def names_of(months: list[Month]) -> str:
    return ", ".join(date_format(month.first, "F Y") for month in months)


class ClosingForm(forms.Form):
    """Closes the months as they were shown, for whoever types the last of them."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, months: list[Month], data: Any) -> None:
        self.state = version_of((month.first, month.sums.rows) for month in months)
        super().__init__(data, initial={"seen": self.state})
        # Translators: a month in figures, as people type it; see Django's format of dates.
        self.fields["typed"] = TypedField(date_format(months[-1].first, pgettext("month", "Y-m")))

    def clean(self) -> None:
        # Who sends none has seen none, as with an edit without a version (13.7).
        if "seen" in self.data and self.cleaned_data.get("seen") != self.state:
            self.data = {name: self.data[name] for name in self.data} | {"seen": self.state}
            raise ValidationError(str(FiguresChanged.message))


def still_open(before: date) -> list[tuple[str, str]]:
    """What is older than this day and waits for somebody, with the list of it: once it is decided, it
    counts in a later month."""
    moment = midnight(before)
    lists = (
        (
            Payment.objects.to_confirm().filter(created_at__lt=moment),
            f"payment_changelist?attention=confirm&created_at_to={before - date.resolution}",
            ngettext_lazy(
                "%(number)d payment is waiting to be confirmed.",
                "%(number)d payments are waiting to be confirmed.",
                "number",
            ),
        ),
        (
            Refund.objects.requested().filter(created_at__lt=moment),
            "refund_changelist?status__exact=requested",
            ngettext_lazy(
                "%(number)d refund has no answer yet.",
                "%(number)d refunds have no answer yet.",
                "number",
            ),
        ),
        (
            Finding.objects.filter(status=FindingStatus.OPEN, first_seen_at__lt=moment),
            "finding_changelist?status__exact=open",
            ngettext_lazy("%(number)d finding is open.", "%(number)d findings are open.", "number"),
        ),
    )
    found = []
    for rows, place, text in lists:
        if number := rows.count():
            name, _query, query = place.partition("?")
            url = f"{reverse(f'admin:payments_{name}')}?{query}"
            found.append((str(text % {"number": number}), url))
    return found

"""Confirming what came for many orders: a row for each, as the bank's statement has it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from payments.admin.received import DayField, DayInput, reference_field
from payments.mails import RECEIVED
from payments.models import Payment, PaymentMethod
from people.models import User
from project.common.money import shown
from project.mail.admin.telling import TellReasonForm

# So many addresses that get no mail, or one without the reason, are told one by one.
TOLD_ONE_BY_ONE = 3


@dataclass(frozen=True)
class OrderRow:
    """An order, and the fields that are about it alone; there is no bank reference for cash."""

    payment: Payment
    take: forms.BoundField
    day: forms.BoundField
    reference: forms.BoundField | None

    @property
    def waits(self) -> str:
        return timesince(self.payment.created_at, depth=1)


class ConfirmManyForm(TellReasonForm):
    """The answers are the same for all, but for the day and the reference of each; whoever has not
    paid is left out."""

    kind = RECEIVED
    template = "admin/payments/confirm_many.html"
    field_order = ("day", "reason", "tell")
    day = DayField()

    def person_of(self, row: Payment) -> User:
        return row.payer

    def fit_to(self, rows: Sequence[Payment]) -> None:
        super().fit_to(rows)
        self.payments = rows
        for row in rows:
            self.fields[f"take-{row.pk}"] = forms.BooleanField(
                required=False,
                initial=True,
                label=str(row.payer),
                widget=UnfoldBooleanWidget(
                    attrs={"data-amount": str(row.amount), "data-currency": row.currency}
                ),
            )
            self.fields[f"day-{row.pk}"] = DayField(
                tells_closed=False,
                initial=None,
                widget=DayInput(attrs={"aria-label": f"{row.payer}: {_('Day the money came')}"}),
            )
            if row.method == PaymentMethod.TRANSFER:
                self.fields[f"reference-{row.pk}"] = reference_field(
                    widget=UnfoldAdminTextInputWidget(
                        attrs={
                            "aria-label": f"{row.payer}: {_('Bank reference')}",
                            "autocomplete": "off",
                        }
                    )
                )

    def unreached(self, people: Iterable[User]) -> list[str]:
        said = super().unreached(people)
        if len(said) <= TOLD_ONE_BY_ONE:
            return said
        text = ngettext(
            "%(number)d person will get no email, or one without the reason.",
            "%(number)d people will get no email, or one without the reason.",
            len(said),
        )
        return [text % {"number": len(said)}]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """What is asked once."""
        return [self[name] for name in ("day", "reason", "tell")]

    @property
    def order_rows(self) -> Iterator[OrderRow]:
        for payment in self.payments:
            reference = f"reference-{payment.pk}"
            yield OrderRow(
                payment,
                self[f"take-{payment.pk}"],
                self[f"day-{payment.pk}"],
                self[reference] if reference in self.fields else None,
            )

    @property
    def chosen(self) -> list[Payment]:
        return [row.payment for row in self.order_rows if row.take.value()]

    @property
    def shown_sum(self) -> str:
        return sum_shown(self.chosen)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(cleaned.get(f"take-{payment.pk}") for payment in self.payments):
            raise ValidationError(_("Choose at least one payment."))
        return cleaned

    def answers_of(self, row: Payment) -> dict[str, Any] | None:
        answers = self.cleaned_data
        if not answers[f"take-{row.pk}"]:
            return None
        return {
            "reason": answers["reason"],
            "tell": answers["tell"],
            "day": answers[f"day-{row.pk}"] or answers["day"],
            "bank_reference": answers.get(f"reference-{row.pk}", ""),
        }


def sum_shown(payments: Iterable[Payment]) -> str:
    """What payments come to, in each currency."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for payment in payments:
        sums[payment.currency] += payment.amount
    return " + ".join(shown(amount, currency) for currency, amount in sorted(sums.items()))


def told_of(payments: Sequence[Payment], said: str) -> str:
    """How many they are and what they come to, in words of which the numbers stand for places."""
    return said % {"number": len(payments), "sum": sum_shown(payments)}

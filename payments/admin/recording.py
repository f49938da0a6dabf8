"""The page on which staff enter money that came without an order."""

from functools import partial
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from lms.models import Course, Lesson
from payments.admin.actions import TakenForm
from payments.admin.received import DayField, reference_field
from payments.models import Payment, PaymentMethod
from payments.permissions import can_confirm
from payments.services import staff
from payments.services.transitions import UnfitAmount
from people.current_user import current_user
from people.errors import AccountErased
from people.models import User
from people.models.querysets import NAME_SEARCHES
from project.common.admin.amounts import AmountField, typed
from project.common.admin.base import StaffAdmin
from project.common.admin.filters import Choices, person_and_email, select_from
from project.common.errors import DomainError
from project.common.texts import LineField

OFFLINE = [
    (method.value, method.label) for method in PaymentMethod if method != PaymentMethod.STRIPE
]
# Which field is wrong, where it is not what is paid for.
FIELDS = {
    UnfitAmount.code: "amount",
    staff.UnfitDay.code: "day",
    staff.OwnPayment.code: "payer",
    staff.PayerBlocked.code: "payer",
    AccountErased.code: "payer",
}
# What is the same for the next line of the statement.
KEPT = ("method", "day", "reason")


def lesson_and_course(lesson: Lesson) -> str:
    return f"{lesson} · {lesson.course}"


def price_of(target: Course | Lesson) -> dict[str, str]:
    """The amount that the page proposes once this was chosen."""
    return {"price": typed(target.price, target.currency)} if target.price else {}


CHOICES = {
    "courses": Choices(Course.objects.all, ["searched"], more=price_of),
    "lessons": Choices(
        partial(Lesson.objects.select_related, "course"),
        ["searched"],
        lesson_and_course,
        price_of,
    ),
    "payers": Choices(User.objects.all, NAME_SEARCHES, person_and_email),
}


class RowField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Looks for its rows at one of the addresses of `CHOICES`."""

    def __init__(self, column: str, **options: Any) -> None:
        choices = CHOICES[f"{column}s"]
        select = select_from(f"admin:payments_payment_{column}s")
        widget = select(Payment._meta.get_field(column), admin.site)
        # What was offered a moment ago is not there any more.
        words = {"invalid_choice": gettext_lazy("This was deleted meanwhile.")}
        super().__init__(queryset=choices.rows(), widget=widget, error_messages=words, **options)
        self.label_of = choices.label

    def label_from_instance(self, obj: Any) -> str:
        return self.label_of(obj)

    def found(self, value: str | None) -> Any:
        """The row that an address names; None if there is no such."""
        try:
            return self.to_python(value)
        except ValidationError:
            return None


class RecordForm(forms.Form):
    payer = RowField("payer", label=gettext_lazy("Person"))
    course = RowField("course", label=gettext_lazy("Course"), required=False)
    lesson = RowField(
        "lesson",
        label=gettext_lazy("Lesson"),
        required=False,
        help_text=gettext_lazy("Choose either a course or a lesson."),
    )
    amount = AmountField()
    method = forms.ChoiceField(
        label=gettext_lazy("Method"),
        choices=OFFLINE,
        initial=PaymentMethod.TRANSFER,
        widget=UnfoldAdminRadioSelectWidget,
    )
    day = DayField()
    bank_reference = reference_field()
    reason = LineField(
        label=gettext_lazy("Note"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Stays in the payment's life. The payer reads it if you tell them."),
    )
    tell = TakenForm.base_fields["tell"]
    anyway = forms.BooleanField(
        label=gettext_lazy("Record it anyway"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["tell"].label = _("Tell the payer this note")
        if "anyway" not in self.data:
            del self.fields["anyway"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "course" in cleaned and "lesson" in cleaned:
            targets = [cleaned.pop("course"), cleaned.pop("lesson")]
            if targets.count(None) != 1:
                self.add_error("course", _("Choose either a course or a lesson."))
            cleaned["target"] = targets[0] or targets[1]
        return cleaned

    def record(self, by: User) -> Payment | None:
        """Do it with what was entered; None if it can't be done: then the fields say why."""
        answers = {**self.cleaned_data}
        kept = {name: answers.pop(name) for name in ("reason", "tell", "key")}
        kept["anyway"] = answers.pop("anyway", False)
        answers["method"] = PaymentMethod(answers["method"])
        try:
            return staff.record_payment(received=staff.Received(**answers), by=by, **kept)
        except DomainError as error:
            chosen = "course" if self["course"].value() else "lesson"
            self.add_error(FIELDS.get(error.code, chosen), _explained(error))
            if isinstance(error, staff.AlreadyOpen | staff.OnItsWay):
                self.fields["anyway"] = self.base_fields["anyway"]
            return None


def _explained(error: DomainError) -> str:
    """The words of an error, with the way to the payment that hinders."""
    if not isinstance(error, staff.HinderedBy):
        return str(error)
    page = "confirm" if isinstance(error, staff.OrderWaits) else "change"
    address = reverse(f"admin:payments_payment_{page}", args=[error.payment.pk])
    label = f"№ {error.payment.pk} · {error.payment.shown_amount}"
    return format_html('{} <a class="parta-link" href="{}">{}</a>', error, address, label)


class RecordingPage(StaffAdmin[Payment]):
    """The page behind the list's button *Add*, and behind links that know person or course."""

    add_label = gettext_lazy("Record a payment")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return can_confirm(current_user(request))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RecordForm(request.POST or None, initial=_named_in(request))
        if request.method == "POST" and form.is_valid():
            payment = form.record(current_user(request))
            if payment is not None:
                return self._recorded(request, form, payment)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Record a payment"),
            "opts": self.opts,
            "form": form,
            "media": form.media,
            "back": self.url("changelist"),
        }
        return TemplateResponse(request, "admin/payments/record.html", context)

    def _recorded(
        self, request: HttpRequest, form: RecordForm, payment: Payment
    ) -> HttpResponseRedirect:
        """Say so, and lead to the payment, or to a form for the next one."""
        self.log_addition(request, payment, form.cleaned_data["reason"])
        address = self.url("change", payment.pk)
        said = _("Recorded: {payment}. {person} has access.")
        named = f"{payment.title}, {payment.shown_amount}"
        link = format_html('<a class="parta-link" href="{}">{}</a>', address, named)
        text = format_html(said, payment=link, person=payment.payer)
        self.message_user(request, text, messages.SUCCESS)
        for unreached in TakenForm().unreached([payment.payer]):
            self.message_user(request, unreached, messages.WARNING)
        if "another" not in request.POST:
            return HttpResponseRedirect(address)
        request.session[KEPT_IN] = {name: form.data.get(name) for name in KEPT}
        return HttpResponseRedirect(self.url("add"))


# Where the session has what the next form begins with.
KEPT_IN = "recorded_payment"


def _named_in(request: HttpRequest) -> dict[str, Any]:
    """What the form begins with: what the address names, the price of it, and what was entered for the
    payment before."""
    fields = RecordForm.base_fields
    named: dict[str, Any] = request.session.pop(KEPT_IN, {})
    for column in ("payer", "course", "lesson"):
        field = fields[column]
        assert isinstance(field, RowField)  # noqa: S101
        if row := field.found(request.GET.get(column)):
            named[column] = row.pk
            if column != "payer":
                named["amount"] = row.price
    return named

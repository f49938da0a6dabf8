"""The list of the payments book, and a payment's whole life on one page."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.enums import ActionVariant

from lms.models import Course
from lms.permissions import can_grant_access
from payments.admin.actions import ask_and_run, offered
from payments.admin.filters import AttentionFilter
from payments.admin.import_export import ExchangeAdmin
from payments.admin.timeline import life_of
from payments.models import Payment, PaymentStatus
from payments.permissions import can_confirm, can_refund, can_see_payments
from people.current_user import current_user
from project.common.admin.base import ReadOnlyAdmin, action, display
from project.common.admin.filters import (
    Choices,
    ChoosingAdmin,
    DaysFilter,
    choose_from,
    person_and_email,
)
from project.common.money import shown

STATUS_COLOURS = {
    PaymentStatus.PENDING.value: "warning",
    PaymentStatus.PROCESSING.value: "info",
    PaymentStatus.PAID.value: "success",
    PaymentStatus.FAILED.value: "danger",
    PaymentStatus.EXPIRED.value: "default",
    PaymentStatus.REFUNDED.value: "primary",
}


@admin.register(Payment)
class PaymentAdmin(ExchangeAdmin, ChoosingAdmin[Payment], ReadOnlyAdmin[Payment]):
    choices = {
        "courses": Choices(Course.objects.all, ["title"]),
        "payers": Choices(
            get_user_model().objects.all, ["email", "first_name", "last_name"], person_and_email
        ),
    }
    list_display = (
        "title",
        "payer_email",
        "amount_shown",
        "method_label",
        "status_label",
        "created_at",
        "paid_at",
    )
    list_filter = (
        AttentionFilter,
        ("status", ChoicesDropdownFilter),
        ("method", ChoicesDropdownFilter),
        ("course", choose_from("admin:payments_payment_courses")),
        ("payer", choose_from("admin:payments_payment_payers")),
        ("created_at", DaysFilter),
        ("paid_at", DaysFilter),
    )
    search_fields = ("title",)  # opens the search box; `get_search_results` searches
    search_help_text = gettext_lazy("Title or payer's e-mail; number, external id or id at Stripe")
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at",)
    fieldsets = (
        (None, {"fields": (("payer", "payer_email"), ("course", "lesson"))}),
        (
            gettext_lazy("Payment"),
            {"fields": (("amount_shown", "method_label"), ("status_shown", "paid_at"))},
        ),
        (
            gettext_lazy("Known as"),
            {"fields": (("number", "external_id"), ("session_id", "charge"))},
        ),
    )
    readonly_fields = (
        "payer_email",
        "amount_shown",
        "method_label",
        "status_shown",
        "number",
        "session_id",
        "charge",
    )
    change_form_outer_after_template = "admin/payments/life.html"
    actions_detail = ("ask_stripe", "confirm", "reject", "refund", "grant_access")

    # --- Who may what -------------------------------------------------------------------------

    def has_view_permission(self, request: HttpRequest, obj: Payment | None = None) -> bool:
        return can_see_payments(current_user(request))

    def has_confirm_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return can_confirm(current_user(request))

    def has_refund_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return can_refund(current_user(request))

    def has_grant_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return can_see_payments(current_user(request)) and can_grant_access(current_user(request))

    # --- The list -----------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        payments: Any = super().get_queryset(request)
        whole: QuerySet[Payment] = payments.whole()
        return whole

    def with_shown(self, rows: QuerySet[Payment], request: HttpRequest) -> QuerySet[Payment]:
        return rows.select_related("payer")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        payments: Any = queryset
        text = search_term.strip()
        return (payments.found_by_staff(text) if text else payments), False

    @display(description=gettext_lazy("payer's e-mail"))
    def payer_email(self, payment: Payment) -> str:
        return payment.payer.email

    @display(description=gettext_lazy("amount"))
    def amount_shown(self, payment: Payment) -> str:
        return shown(payment.amount, payment.currency)

    @display(description=gettext_lazy("method"))
    def method_label(self, payment: Payment) -> str:
        return payment.get_method_display()

    @display(description=gettext_lazy("status"), label=STATUS_COLOURS)
    def status_label(self, payment: Payment) -> tuple[str, str]:
        return payment.status, payment.get_status_display()

    @display(description=gettext_lazy("status"))
    def status_shown(self, payment: Payment) -> str:
        return payment.get_status_display()

    @display(description=gettext_lazy("number"))
    def number(self, payment: Payment) -> int:
        return payment.pk

    @display(description=gettext_lazy("payment at Stripe"))
    def charge(self, payment: Payment) -> str:
        return payment.payment_intent_id or "—"

    # --- The page -----------------------------------------------------------------------------

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["life"] = life_of(context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what may be done with the payment as it is now."""
        payment = self.get_object(request, object_id)
        names = offered(current_user(request), payment) if payment else set()
        known = {f"payments_payment_{name}" for name in names}
        unfolds: Any = super()
        actions = unfolds.get_actions_detail(request, object_id)
        return [action for action in actions if action.action_name in known]

    def _ask(self, request: HttpRequest, name: str, object_id: str) -> HttpResponse:
        payment = self.get_object(request, object_id)
        if payment is None:
            raise Http404
        return ask_and_run(self, request, name, payment)

    @action(
        description=gettext_lazy("Ask Stripe now"),
        icon="question_answer",
        url_path="ask-stripe",
        permissions=["view"],
    )
    def ask_stripe(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask(request, "ask_stripe", object_id)

    @action(
        description=pgettext_lazy("payment", "Confirm"),
        icon="check_circle",
        url_path="confirm",
        permissions=["confirm"],
        variant=ActionVariant.PRIMARY,
    )
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask(request, "confirm", object_id)

    @action(
        description=pgettext_lazy("payment", "Reject"),
        icon="cancel",
        url_path="reject",
        permissions=["confirm"],
    )
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask(request, "reject", object_id)

    @action(
        description=gettext_lazy("Refund"),
        icon="undo",
        url_path="refund",
        permissions=["refund"],
    )
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask(request, "refund", object_id)

    @action(
        description=gettext_lazy("Grant access"),
        icon="key",
        url_path="grant-access",
        permissions=["grant"],
    )
    def grant_access(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask(request, "grant_access", object_id)

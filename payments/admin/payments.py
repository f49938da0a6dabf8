"""The list of the payments book, and a payment with its timeline."""

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from payments.admin.actions import PAYMENT_ACTIONS
from payments.admin.base import DecisionsAdmin
from payments.admin.columns import dashboard_link
from payments.admin.exporting import PaymentExport
from payments.admin.filters import AttentionFilter
from payments.admin.importing import ImportPage
from payments.admin.recording import CHOICES, RecordingPage
from payments.admin.timeline import raw_events, timeline
from payments.models import Payment, PaymentStatus
from payments.models.querysets import IS_UNPAID, PaymentQuerySet, Totals
from payments.permissions import can_see_earnings
from people.current_user import current_user
from project.common.admin.actions import Facts
from project.common.admin.base import Label, clocked, column, display, person_shown
from project.common.admin.filters import (
    ChoosingAdmin,
    DaysFilter,
    choose_from,
)
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, fact_about, folded
from project.common.admin.sums import Figure, SummingAdmin, Sums, grouped
from project.common.money import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.utils.safestring import SafeString

    from lms.models import Course

STATUS_COLOURS = {
    PaymentStatus.PENDING.value: "warning",
    PaymentStatus.PROCESSING.value: "info",
    PaymentStatus.PAID.value: "success",
    PaymentStatus.FAILED.value: "danger",
    PaymentStatus.EXPIRED.value: "default",
    PaymentStatus.CANCELLED.value: "default",
    PaymentStatus.REFUNDED.value: "primary",
}


def figures_of(totals: Totals) -> list[Figure]:
    def figure(label: str, amount: Decimal, note: str = "", *, is_result: bool = False) -> Figure:
        return Figure(label, shown(amount, totals.currency), note, is_result)

    return [
        figure(pgettext("money", "Paid"), totals.paid, grouped(totals.paid_number)),
        figure(_("Refunded"), -totals.refunded),
        figure(_("Lost in disputes"), -totals.lost),
        figure(_("Net"), totals.net, is_result=True),
        figure(_("Awaiting payment"), totals.open, grouped(totals.open_number)),
    ]


@admin.register(Payment)
class PaymentAdmin(
    ImportPage,
    RecordingPage,
    PaymentExport,
    ChoosingAdmin[Payment],
    SummingAdmin[Payment],
    HeadedAdmin[Payment],
    DecisionsAdmin[Payment],
):
    choices = CHOICES
    change_form_outer_before_template = "admin/payments/head.html"
    list_display = (
        "number",
        "payer_shown",
        "title",
        "amount_shown",
        "status_label",
        "method",
        "created_at",
        "paid_day",
    )
    list_display_links = ("number", "title")
    list_filter = (
        AttentionFilter,
        ("status", ChoicesDropdownFilter),
        ("method", ChoicesDropdownFilter),
        ("course", choose_from("admin:payments_payment_courses")),
        ("payer", choose_from("admin:payments_payment_payers")),
        ("created_at", DaysFilter),
        ("paid_at", DaysFilter),
    )
    empty_text = gettext_lazy(
        "Orders and payments will appear here, whether people pay online, by transfer or in cash."
    )
    found_with = ("payer",)
    search_fields = ("title",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy(
        "Name or email, title, amount; number, bank reference, external ID or Stripe ID"
    )
    ordering = ("-created_at", "-id")
    sortable_by = ("payer_shown", "amount_shown", "created_at", "paid_day")
    orders = {
        "payer_shown": ("payer__last_name", "payer__first_name"),
        "paid_day": (IS_UNPAID, "paid_at"),
    }
    fieldsets = (
        folded(
            ("amount_shown", "refunded", "left"),
            ("method", "status"),
            ("paid_at", "bank_reference"),
            ("payer", "course", "lesson"),
            ("number", "external_id"),
            ("session_id", "charge"),
        ),
    )
    change_form_outer_after_template = "admin/payments/events.html"
    staff_actions = PAYMENT_ACTIONS
    misfit = gettext_lazy("This can't be done with the payment in its current state.")

    number = column("pk", gettext_lazy("number"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return cast(PaymentQuerySet, super().get_queryset(request)).shown_to_staff()

    def with_shown(self, rows: QuerySet[Payment], request: HttpRequest) -> QuerySet[Payment]:
        return rows.select_related("payer")

    def found(self, rows: QuerySet[Payment], text: str) -> QuerySet[Payment]:
        return cast(PaymentQuerySet, rows).found_by_staff(text)

    def sums_of(self, rows: QuerySet[Payment]) -> Sums:
        found = cast(PaymentQuerySet, rows).totals()
        return Sums(sum(totals.number for totals in found), [figures_of(one) for one in found])

    @display(description=gettext_lazy("payer"), ordering="payer__last_name")
    def payer_shown(self, payment: Payment) -> "SafeString":
        return person_shown(payment.payer)

    @display(description=gettext_lazy("amount"), ordering="amount", formatting="price")
    def amount_shown(self, payment: Payment) -> str:
        return payment.shown_amount

    @display(description=pgettext_lazy("column", "Paid"), ordering="paid_at")
    def paid_day(self, payment: Payment) -> date | None:
        return localtime(payment.paid_at).date() if payment.paid_at else None

    @display(description=gettext_lazy("Refunded"))
    def refunded(self, payment: Payment) -> str:
        refunded = payment.refunded_amount
        return shown(refunded, payment.currency) if refunded else "—"

    @display(description=gettext_lazy("left"))
    def left(self, payment: Payment) -> str:
        return payment.shown_left if payment.paid_at else "—"

    @display(description=gettext_lazy("status"), label=STATUS_COLOURS)
    def status_label(self, payment: Payment) -> Label:
        return Label(payment.status, payment.get_status_display())

    @display(description=gettext_lazy("payment at Stripe"))
    def charge(self, payment: Payment) -> "SafeString | str":
        return dashboard_link(payment, payment.payment_intent_id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if payment := context["original"]:
            context |= {"timeline": timeline(payment), "events": raw_events(payment)}
        return super().render_change_form(request, context, *args, **kwargs)

    def label_of(self, row: Payment) -> str:
        return f"{row.title}, {row.shown_amount}"

    def told_apart(self, request: HttpRequest, row: Payment) -> list[str]:
        day = date_format(localtime(row.paid_at or row.created_at), "SHORT_DATE_FORMAT")
        return [f"№ {row.pk}", str(row.payer), row.get_status_display(), day]

    def head_of(self, request: HttpRequest, row: Payment) -> Head:
        badges = [Badge(row.get_status_display(), STATUS_COLOURS[row.status])]
        if row.is_disputed:
            badges.append(Badge(_("disputed"), "danger"))
        if row.awaits_decision:
            badges.append(Badge(_("another sum came: %s") % row.shown_received, "danger"))
        email = row.payer.email
        note = email if str(row.payer) != email else ""
        facts = [fact_about(request, _("payer"), row.payer, note=note)]
        target = row.target
        if target is None:
            facts.append(HeadFact(_("For"), row.title, note=_("deleted since")))
        else:
            facts.append(fact_about(request, _("For"), target, text=row.title))
        facts.append(HeadFact(_("method"), row.get_method_display()))
        if row.paid_at is None:
            facts.append(HeadFact(_("created"), clocked(row.created_at)))
        else:
            facts.append(HeadFact(pgettext("column", "Paid"), date_format(localtime(row.paid_at))))
        gone = {_("Refunded"): row.refunded_amount, _("Lost in disputes"): row.lost_amount}
        for label, amount in gone.items():
            if amount:
                left = _("%s is left") % row.shown_left
                facts.append(HeadFact(label, shown(amount, row.currency), note=left))
        return Head(row.shown_amount, badges, facts)

    def earnings_of(self, request: HttpRequest, course: "Course") -> "Iterator[HeadFact]":
        """What a course brought, for the head of its page: a line for each currency."""
        if not can_see_earnings(current_user(request), course):
            return
        for one in Payment.objects.of_course(course).totals():
            yield HeadFact(_("earned"), shown(one.net, one.currency))

    def facts_of(self, row: Payment) -> Facts:
        return [
            (_("Payer"), f"{row.payer} ({row.payer.email})"),
            (_("For"), row.title),
            (_("Amount"), row.shown_amount),
            (_("Refunded"), self.refunded(row)),
            (_("Method"), row.get_method_display()),
            (_("Status"), row.get_status_display()),
        ]

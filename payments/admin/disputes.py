"""Disputes and refunds: to look at; what is done about them is done on the payment's page."""

from datetime import timedelta

from django.contrib import admin
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from payments.admin.base import PaymentsBookAdmin, facts_of_payment
from payments.admin.columns import dashboard_link, payment_link
from payments.models import Dispute, DisputeStatus, Refund, RefundStatus
from payments.models.disputes import OPEN, TO_ANSWER
from project.common.admin.base import Label, clocked, column, display
from project.common.admin.filters import SubsetFilter
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, fact_about, folded

DISPUTE_COLOURS = {
    **dict.fromkeys(DisputeStatus.values, "default"),
    **dict.fromkeys(map(str, OPEN), "warning"),
    DisputeStatus.WON.value: "success",
    DisputeStatus.LOST.value: "danger",
}
REFUND_COLOURS = {
    RefundStatus.REQUESTED.value: "warning",
    RefundStatus.SUCCEEDED.value: "success",
    RefundStatus.FAILED.value: "danger",
}
DEADLINE_COLOURS = {"soon": "danger", "later": "warning", "no matter": "default"}
# Evidence takes a day or two to collect.
SOON = timedelta(days=3)


class DisputeFilter(SubsetFilter):
    title = _("attention")
    parameter_name = "attention"
    subsets = {
        "answer": ("to_answer", _("need an answer")),
        "open": ("open", _("not decided")),
    }


@admin.register(Dispute)
class DisputeAdmin(HeadedAdmin[Dispute], PaymentsBookAdmin[Dispute]):
    list_display = (
        "amount_shown",
        "payment_link",
        "reason_in_words",
        "status_label",
        "deadline",
        "created_at",
    )
    list_filter = (DisputeFilter, ("status", ChoicesDropdownFilter))
    empty_text = _(
        "Payments that a buyer disputes with the bank will appear here, with the day to answer by."
    )
    found_with = ("payment",)
    search_fields = ("dispute_id__exact",)
    search_help_text = _("Full Stripe ID of the dispute")
    # Those to answer come first, the most urgent one at the top.
    ordering = (
        Case(When(status__in=TO_ANSWER, then=0), When(status__in=OPEN, then=1), default=2).asc(),
        Case(When(status__in=OPEN, then="evidence_due_by"), default=Value(None)).asc(
            nulls_last=True
        ),
        "-id",
    )
    sortable_by = ()
    fieldsets = (
        folded(
            "payment",
            ("amount_shown", "status"),
            ("reason_in_words", "deadline"),
            ("created_at", "dispute_id"),
        ),
    )

    amount_shown = column("shown_amount", _("amount"), is_figure=True)
    payment_link = payment_link
    reason_in_words = column("reason_in_words", _("reason"))

    def label_of(self, row: Dispute) -> str:
        return row.shown_amount

    def told_apart(self, request: HttpRequest, row: Dispute) -> list[str]:
        return [row.payment.title, row.get_status_display()]

    def with_shown(self, rows: QuerySet[Dispute], request: HttpRequest) -> QuerySet[Dispute]:
        return rows.select_related("payment__payer")

    def head_of(self, request: HttpRequest, row: Dispute) -> Head:
        facts = [
            *facts_of_payment(request, row.payment),
            HeadFact(_("reason"), row.reason_in_words),
        ]
        if row.status in TO_ANSWER:
            facts.append(HeadFact(_("evidence due by"), str(self.deadline(row))))
        if row.status in OPEN:
            # Where evidence is sent: Stripe takes it in its dashboard.
            link = dashboard_link(row.payment, _("Send the evidence in Stripe's dashboard"))
            facts.append(HeadFact(_("answer"), link))
        badge = Badge(row.get_status_display(), DISPUTE_COLOURS[row.status])
        return Head(row.shown_amount, [badge], facts)

    @display(description=_("status"), label=DISPUTE_COLOURS)
    def status_label(self, dispute: Dispute) -> Label:
        return Label(dispute.status, dispute.get_status_display())

    @display(description=_("evidence due by"), label=DEADLINE_COLOURS)
    def deadline(self, dispute: Dispute) -> Label | str:
        due_by = dispute.evidence_due_by
        if due_by is None:
            return "—"
        if dispute.status not in TO_ANSWER:
            return Label("no matter", due_by)
        return Label("soon" if due_by < timezone.now() + SOON else "later", due_by)


@admin.register(Refund)
class RefundAdmin(HeadedAdmin[Refund], PaymentsBookAdmin[Refund]):
    list_display = (
        "amount_shown",
        "payment_link",
        "status_label",
        "reason",
        "by",
        "created_at",
        "settled_at",
    )
    list_filter = (("status", ChoicesDropdownFilter),)
    empty_text = _("Money that is given back will appear here.")
    found_with = ("payment",)
    search_fields = ("refund_id__exact",)
    search_help_text = _("Full Stripe ID of the refund")
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = (
        folded(
            "payment",
            ("amount_shown", "status"),
            ("failure_in_words", "refund_id"),
            ("reason", "is_reason_told", "ends_access"),
            ("by", "created_at", "settled_at"),
        ),
    )

    amount_shown = column("shown_amount", _("amount"), is_figure=True)
    payment_link = payment_link

    def label_of(self, row: Refund) -> str:
        return row.shown_amount

    def told_apart(self, request: HttpRequest, row: Refund) -> list[str]:
        return [row.payment.title, row.get_status_display()]

    def with_shown(self, rows: QuerySet[Refund], request: HttpRequest) -> QuerySet[Refund]:
        return rows.select_related("payment__payer", "by")

    def head_of(self, request: HttpRequest, row: Refund) -> Head:
        facts = [
            *facts_of_payment(request, row.payment),
            HeadFact(_("requested at"), clocked(row.created_at)),
            HeadFact(_("reason"), row.reason or "—"),
        ]
        if row.by:
            facts.append(fact_about(request, _("by"), row.by))
        if row.failure:
            facts.append(HeadFact(_("why it failed"), row.failure_in_words))
        badge = Badge(row.get_status_display(), REFUND_COLOURS[row.status])
        return Head(row.shown_amount, [badge], facts)

    @display(description=_("status"), label=REFUND_COLOURS)
    def status_label(self, refund: Refund) -> Label:
        return Label(refund.status, refund.get_status_display())

    @display(description=_("why it failed"))
    def failure_in_words(self, refund: Refund) -> str:
        return refund.failure_in_words or "—"

"""What Stripe sent: to look at, never to change."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from payments.admin.base import PaymentsBookAdmin, facts_of_payment
from payments.admin.columns import payment_link
from payments.admin.filters import EventTypeFilter
from payments.models import StripeEvent, StripeOutcome
from project.common.admin.base import clocked, display
from project.common.admin.filters import DaysFilter
from project.common.admin.heads import Head, HeadedAdmin, HeadFact, folded


@admin.register(StripeEvent)
class StripeEventAdmin(HeadedAdmin[StripeEvent], PaymentsBookAdmin[StripeEvent]):
    list_display = ("type", "payment_link", "outcome_in_words", "received_at", "event_id")
    list_filter = (EventTypeFilter, ("received_at", DaysFilter))
    empty_text = _("What Stripe reports will appear here as soon as somebody pays online.")
    search_fields = ("event_id__exact",)
    search_help_text = _("Full ID of the Stripe event")
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = (
        folded(
            ("type", "event_id"), ("payment", "outcome_in_words"), ("happened_at", "received_at")
        ),
    )

    def head_of(self, request: HttpRequest, row: StripeEvent) -> Head:
        facts = facts_of_payment(request, row.payment) if row.payment else []
        facts.append(HeadFact(_("received at"), clocked(row.received_at)))
        return Head(row.type, facts=facts, said=[self.outcome_in_words(row)])

    def with_shown(
        self, rows: QuerySet[StripeEvent], request: HttpRequest
    ) -> QuerySet[StripeEvent]:
        return rows.select_related("payment__payer")

    payment_link = payment_link

    @display(description=_("outcome"))
    def outcome_in_words(self, event: StripeEvent) -> str:
        return StripeOutcome.in_words(event.outcome)

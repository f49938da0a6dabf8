"""What Stripe sent: to look at, never to change."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from payments.admin.base import PaymentsBookAdmin
from payments.admin.filters import EventTypeFilter
from payments.models import StripeEvent, StripeOutcome
from project.common.admin.base import display
from project.common.admin.filters import DaysFilter


@admin.register(StripeEvent)
class StripeEventAdmin(PaymentsBookAdmin[StripeEvent]):
    list_display = ("type", "event_id", "payment", "outcome_in_words", "received_at")
    list_filter = (EventTypeFilter, ("received_at", DaysFilter))
    empty_text = _("What Stripe reports will appear here as soon as somebody pays online.")
    search_fields = ("event_id__exact",)
    search_help_text = _("Full ID of the Stripe event")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("type", "event_id", "payment", "outcome_in_words", "happened_at", "received_at")

    def with_shown(
        self, rows: QuerySet[StripeEvent], request: HttpRequest
    ) -> QuerySet[StripeEvent]:
        return rows.select_related("payment")

    @display(description=_("outcome"))
    def outcome_in_words(self, event: StripeEvent) -> str:
        return StripeOutcome.in_words(event.outcome)

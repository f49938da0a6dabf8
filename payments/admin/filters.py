"""Filters of the payments book and of Stripe's events."""

from typing import TYPE_CHECKING

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from payments.models import StripeEvent
from project.common.admin.filters import DropdownFilter, SubsetFilter

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    from project.common.admin.filters import Lookups


class AttentionFilter(SubsetFilter):
    title = _("attention")
    parameter_name = "attention"
    subsets = {
        "confirm": ("to_confirm", _("awaiting confirmation")),
        "no_access": ("lately_without_access", _("paid in the last week, but no access")),
        "stuck": ("open_too_long", _("stuck: open for too long")),
    }


class EventTypeFilter(DropdownFilter):
    """The types that change something; an address may name any other."""

    title = _("type")
    parameter_name = "type"
    types = (
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "charge.refunded",
    )

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        asked = request.GET.get(self.parameter_name)
        return [(name, name) for name in dict.fromkeys([*self.types, *filter(None, [asked])])]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[StripeEvent]
    ) -> QuerySet[StripeEvent]:
        return queryset.filter(type=self.value()) if self.value() else queryset

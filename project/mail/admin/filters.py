"""Filters of the outbox."""

from typing import TYPE_CHECKING

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from project.common.admin.filters import DropdownFilter, SubsetFilter
from project.mail.kinds import label_of, mail_kinds
from project.mail.models import Delivery, DeliveryStatus, Mailing

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    from project.common.admin.filters import Lookups


class OutcomeFilter(SubsetFilter):
    title = _("outcome")
    parameter_name = "outcome"
    subsets = {
        "failed": ("failed", _("not delivered")),
        "failed_lately": ("failed_lately", _("not delivered in the last seven days")),
        "postponed": ("postponed", _("postponed by the mail server")),
    }
    field = "status"
    values = DeliveryStatus.choices


class MailingFilter(DropdownFilter):
    """The mailing whose page leads here; there are too many to choose from."""

    title = _("mailing")
    parameter_name = "mailing"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        value = request.GET.get(self.parameter_name, "")
        mailings = Mailing.objects.filter(pk=value) if _is_key(value) else Mailing.objects.none()
        return [(value, str(mailing)) for mailing in mailings]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        value = self.value() or ""
        return queryset.filter(mailing_id=value) if _is_key(value) else queryset


class KindFilter(DropdownFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        return [(name, label_of(name)) for name in mail_kinds()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Mailing]) -> QuerySet[Mailing]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class TroubleFilter(SubsetFilter):
    title = _("attention")
    parameter_name = "attention"
    subsets = {
        "troubled": ("troubled", _("with failed emails")),
        "parked": ("parked", _("given up")),
    }


def _is_key(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) < 19

"""Filters of the outbox."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from project.common.admin.filters import SubsetFilter
from project.mail.kinds import label_of
from project.mail.models import Delivery, DeliveryStatus, Mailing

# Names of methods of DeliveryQuerySet, with what they are called here.
GROUPS = {
    "failed": _("not delivered"),
    "failed_lately": _("not delivered in the last seven days"),
    "postponed": _("postponed by the mail server"),
}


class OutcomeFilter(DropdownFilter):  # type: ignore[misc]
    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*GROUPS.items(), *DeliveryStatus.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        deliveries: Any = queryset
        value = self.value()
        if value in GROUPS:
            return getattr(deliveries, value)()  # type: ignore[no-any-return]
        return deliveries.filter(status=value) if value in DeliveryStatus.values else deliveries  # type: ignore[no-any-return]


class MailingFilter(DropdownFilter):  # type: ignore[misc]
    """The mailing whose page leads here; there are too many to choose from."""

    title = _("mailing")
    parameter_name = "mailing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        value = request.GET.get(self.parameter_name, "")
        mailings = Mailing.objects.filter(pk=value) if _is_key(value) else Mailing.objects.none()
        return [(value, str(mailing)) for mailing in mailings]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        value = self.value()
        return queryset.filter(mailing=value) if value and _is_key(value) else queryset


class KindFilter(DropdownFilter):  # type: ignore[misc]
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, label_of(name)) for name in settings.MAIL_KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Mailing]) -> QuerySet[Mailing]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class TroubleFilter(SubsetFilter):
    title = _("attention")
    parameter_name = "attention"
    subsets = {
        "troubled": ("troubled", _("with mails that failed")),
        "parked": ("parked", _("given up")),
    }


def _is_key(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) < 19

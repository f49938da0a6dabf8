"""Filters of the list of people."""

from typing import TYPE_CHECKING, Any, cast

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from people.models import BlockReason, Role, User
from people.models.querysets import UserQuerySet
from project.common.admin.filters import DropdownFilter, SubsetFilter
from project.common.db.search import among, keys_of_few
from project.mail.models import Delivery
from project.mail.refusals import stopped

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    from project.common.admin.filters import Lookups


# Values of the filter by inactivity.
SOON = "1"
KEPT = "kept"


class StateFilter(SubsetFilter):
    title = _("state")
    parameter_name = "state"
    subsets = {
        "active": ("active", _("active")),
        "blocked": ("blocked", _("blocked")),
        "invited": ("awaited", _("invited")),
    }
    field = "blocked_reason"
    values = BlockReason.choices


class SoonBlockedFilter(DropdownFilter):
    title = _("inactivity")
    parameter_name = "soon_blocked"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        return [(SOON, _("will be blocked this week")), (KEPT, _("kept despite inactivity"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() == KEPT:
            return cast(UserQuerySet, queryset).kept()
        if self.value() != SOON:
            return queryset
        soon: QuerySet[Any] = cast(UserQuerySet, queryset).soon_blocked()
        keys = keys_of_few(soon.order_by("seen_at"))  # the order of its index
        return soon if keys is None else queryset.filter(among("pk", keys))


class ReachFilter(DropdownFilter):
    title = _("email")
    parameter_name = "mail"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        return [
            ("stopped", _("address refused by the mail server")),
            ("failed", _("failed in the last seven days")),
            ("unconfirmed", _("new, and address not confirmed")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() == "unconfirmed":
            return cast(UserQuerySet, queryset).lately_unconfirmed()
        of_mails = {"stopped": stopped, "failed": Delivery.objects.failed_lately}
        if (value := self.value() or "") not in of_mails:
            return queryset
        return queryset.filter(pk__in=of_mails[value]().values("recipient"))


class RoleFilter(DropdownFilter):
    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        return [(str(role.pk), str(role)) for role in Role.objects.order_by("id")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        chosen = self.value() or ""
        is_known = chosen in dict(self.lookup_choices)
        return queryset.filter(groups=int(chosen)) if is_known else queryset

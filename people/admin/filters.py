"""Filters of the list of people."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from people.models import BlockReason, User
from project.common.db.search import among, keys_of_few


class StateFilter(DropdownFilter):  # type: ignore[misc]
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("active", _("active")), ("blocked", _("blocked")), *BlockReason.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        people: Any = queryset
        value = self.value()
        if value == "active":
            return people.active()  # type: ignore[no-any-return]
        if value == "blocked":
            return people.blocked()  # type: ignore[no-any-return]
        return people.filter(blocked_reason=value) if value in BlockReason.values else people  # type: ignore[no-any-return]


class SoonBlockedFilter(DropdownFilter):  # type: ignore[misc]
    title = _("inactivity")
    parameter_name = "soon_blocked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("will be blocked this week"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        people: Any = queryset
        if self.value() != "1":
            return queryset
        soon = people.soon_blocked()
        keys = keys_of_few(soon.order_by("seen_at"))  # the order of its index
        found: QuerySet[User] = soon if keys is None else people.filter(among("pk", keys))
        return found

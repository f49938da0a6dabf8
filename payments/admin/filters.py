"""Filters of the payments book."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from payments.models import Payment


class AttentionFilter(DropdownFilter):  # type: ignore[misc]
    title = _("attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("confirm", _("to confirm")), ("stuck", _("stuck: open for too long"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        payments: Any = queryset
        chosen = {"confirm": "to_confirm", "stuck": "open_too_long"}.get(self.value() or "")
        return getattr(payments, chosen)() if chosen else payments  # type: ignore[no-any-return]

"""How lists of the admin are put in order, counted and read: by what stays quick over a million rows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import unfold.views
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.db.models.expressions import Combinable, OrderBy
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.templatetags.unfold_list import result_headers

from project.common.admin.cells import rows_of
from project.common.admin.nouns import accusative

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList as _ChangeList

    _Paginator = Paginator[Any]
else:
    _ChangeList = unfold.views.ChangeList
    _Paginator = Paginator

# Nobody leafs through more; who looks for something in a larger table filters or searches.
COUNTED = 10_000


class CappedPaginator(_Paginator):
    """Counts up to COUNTED rows: the time does not grow with the table."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        return min(rows.order_by()[: COUNTED + 1].count(), COUNTED + 1)

    @property
    def is_capped(self) -> bool:
        return self.count > COUNTED


class Chip(NamedTuple):
    """A filter that is in use, and where the list is without it."""

    title: str
    chosen: str
    link: str


class StaffChangeList(_ChangeList):
    """Finds the page's rows by their keys alone, and then adds what is shown of these few."""

    model_admin: Any
    headers = result_headers
    rows = rows_of
    # What filters can't read: the list is empty then, and says why.
    faults: Sequence[str] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = (
            _("Select %s") % accusative(self.opts)
            if self.is_popup
            else capfirst(str(self.opts.verbose_name_plural))
        )

    def get_queryset(self, request: HttpRequest, *args: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, *args)
        self.faults = [
            _("%(filter)s, “%(value)s”: %(error)s")
            % {"filter": capfirst(spec.title), "value": form[name].value(), "error": error}
            for spec, form in self.used_forms
            for name, errors in form.errors.items()
            for error in errors
        ]
        return rows.none() if self.faults else rows

    @property
    def used_forms(self) -> Iterator[tuple[Any, BaseForm]]:
        for spec in self.filter_specs:
            if spec.used_parameters:
                for choice in cast("Iterator[Any]", spec.choices(self)):
                    if "form" in choice:
                        yield spec, choice["form"]

    def chips(self) -> Iterator[Chip]:
        for spec in self.filter_specs:
            if spec.used_parameters:
                # `remove=` would take all parameters away whose names begin like one of these.
                link = self.get_query_string(
                    dict.fromkeys([*filter(None, spec.expected_parameters()), PAGE_VAR])
                )
                yield Chip(capfirst(str(spec.title)), chosen_of(spec, self), link)

    def get_ordering(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> list[str | Combinable | OrderBy]:
        """As columns with an order of several parts say, and last by key, in the direction of the
        first one, as indexes have it."""
        usual: list[str | Combinable | OrderBy] = super().get_ordering(request, queryset)
        orders = self.model_admin.orders
        if not orders or ORDER_VAR not in self.params:
            return usual
        ordering: list[str | Combinable | OrderBy] = []
        last = ""
        for number, direction in self.get_ordering_field_columns().items():
            name = self.list_display[number] if number < len(self.list_display) else ""
            field = self.get_ordering_field(name) if name else None
            if field is not None:
                minus = "-" if direction == "desc" else ""
                last = last or f"{minus}pk"
                ordering += [
                    f"{minus}{part}" if isinstance(part, str) else part
                    for part in orders.get(str(name), (field,))
                ]
        return [*ordering, last] if ordering else usual

    def get_results(self, request: HttpRequest) -> None:
        """Without a search or filter all rows are there: no need to offer to show all.

        With related rows joined in, the database would put all that was found in order with them,
        for the fifty that are shown."""
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count
        keys = list(self.result_list.values_list("pk", flat=True))
        rows = self.root_queryset.filter(pk__in=keys)
        found = self.model_admin.with_shown(rows, request).in_bulk()
        self.result_list = [found[key] for key in keys if key in found]


class WholeChangeList(StaffChangeList):
    """What a list would show on all of its pages, none of which is read."""

    def get_results(self, request: HttpRequest) -> None:
        return


def chosen_of(spec: Any, changelist: StaffChangeList) -> str:
    """What a filter is set to, as it says itself, or as its links or its form call it."""
    if hasattr(spec, "chosen"):
        return str(spec.chosen)
    first, *others = spec.choices(changelist)
    if "form" not in first:
        return ", ".join(str(one["display"]) for one in (first, *others) if one["selected"])
    [bound] = first["form"]
    chosen = first["form"].cleaned_data.get(bound.name) if first["form"].is_valid() else None
    if isinstance(chosen, Model):
        return str(bound.field.label_from_instance(chosen))
    return str(dict(bound.field.choices).get(chosen, bound.value()))

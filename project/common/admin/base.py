"""What the pages of the admin have in common: counts that stay cheap, and our errors as messages.

The only place where Unfold's classes are subclassed without their types being known.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import unfold.admin
import unfold.decorators
import unfold.views
from django.contrib import messages
from django.contrib.admin import ActionLocation, ShowFacets
from django.contrib.admin import ModelAdmin as BaseModelAdmin
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import ForeignKey, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.translation import gettext

from project.common.errors import DomainError

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as _ModelAdmin
    from django.contrib.admin import TabularInline as _TabularInline
    from django.contrib.admin.views.main import ChangeList as _ChangeList

    _Paginator = Paginator[Any]
else:

    class _ModelAdmin(unfold.admin.ModelAdmin):
        def __class_getitem__(cls, model: object) -> type:
            return cls

    class _TabularInline(unfold.admin.TabularInline):
        def __class_getitem__(cls, models: object) -> type:
            return cls

    _ChangeList = unfold.views.ChangeList
    _Paginator = Paginator


def display[F: Callable[..., Any]](**options: Any) -> Callable[[F], F]:
    """Say how a column or a read-only field is shown; Unfold's decorator, with types."""
    decorate: Callable[[F], F] = unfold.decorators.display(**options)
    return decorate


def action[F: Callable[..., Any]](**options: Any) -> Callable[[F], F]:
    """Put a button on the page of a row or a list; Unfold's decorator, with types."""
    decorate: Callable[[F], F] = unfold.decorators.action(**options)
    return decorate


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


class StaffChangeList(_ChangeList):
    """Finds the page's rows by their keys alone, and then adds what is shown of these few."""

    def get_results(self, request: HttpRequest) -> None:
        """Without a search or filter all rows are there: no need to offer to show all."""
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count
        if isinstance(self.model_admin, StaffAdmin):
            self.result_list = self._shown(self.result_list, request)

    def _shown(self, page: QuerySet[Any], request: HttpRequest) -> list[Any]:
        """With related rows joined in, the database would put all that was found in order with them,
        for the fifty that are shown."""
        admin: Any = self.model_admin
        keys = list(page.values_list("pk", flat=True))
        found = admin.with_shown(self.root_queryset.filter(pk__in=keys), request).in_bulk()
        return [found[key] for key in keys if key in found]


class StaffAdmin[M: Model](_ModelAdmin[M]):
    """A ModelAdmin of this project. An error of the domain becomes a message on the same page."""

    paginator = CappedPaginator
    show_full_result_count = False
    empty_value_display = "—"
    list_per_page = 50
    list_filter_submit = True
    # Counting each choice of each filter would read the whole table once for each.
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    compressed_fields = True
    warn_unsaved_form = True

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the filters of the list ask for. Others are for nobody but who writes addresses
        by hand; they read the whole table, and some fail on some values."""
        field = lookup.partition("__")[0]
        own = {getattr(one, "parameter_name", None) for one in self.get_list_filter(request)}
        is_column = field in {"pk", *(column.name for column in self.opts.get_fields())}
        if is_column and lookup not in own and not lookup.endswith("__exact"):
            return False
        return super().lookup_allowed(lookup, value, request)

    def key_of(self, object_id: Any) -> Any:
        """The key in an address; None, which no row has, if it is none."""
        try:
            return self.opts.pk.to_python(object_id)
        except ValidationError:
            return None

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address gives a new row, less references to what is not there."""
        given = super().get_changeform_initial_data(request)
        for field in self.opts.concrete_fields:
            if isinstance(field, ForeignKey) and field.name in given:
                try:
                    field.clean(given[field.name], None)
                except ValidationError:
                    del given[field.name]
        return given

    def with_shown(self, rows: QuerySet[M], request: HttpRequest) -> QuerySet[M]:
        """Add what `list_display` shows: annotations and related rows. Override it."""
        return rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[_ChangeList]:
        return StaffChangeList

    def get_action_choices(
        self,
        request: HttpRequest,
        default_choices: Any = None,
        action_location: ActionLocation = ActionLocation.CHANGE_LIST,
    ) -> list[tuple[str, str]]:
        """Unfold 0.110 knows no `action_location`, of which Django 6.1 warns; its words are kept."""
        first = [("", gettext("Select action"))]
        return BaseModelAdmin.get_action_choices(
            self, request, first, action_location=action_location
        )

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._with_errors(request, super().changelist_view, request, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._with_errors(request, super().changeform_view, request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._with_errors(request, super().delete_view, request, *args, **kwargs)

    def _with_errors(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin[M: Model](StaffAdmin[M]):
    """Rows that nobody writes, changes or deletes by hand; what is done with them are actions."""

    actions: "Sequence[str] | None" = None
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class AdministratorsAdmin[M: Model](ReadOnlyAdmin[M]):
    """What only administrators look at, such as background work."""

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class ReadOnlyInline[C: Model, P: Model](_TabularInline[C, P]):
    """Rows that belong to the page's object, shown a page at a time and changed elsewhere."""

    extra = 0
    max_num = 0
    can_delete = False
    per_page = 10
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        return False


class EditableInline[C: Model, P: Model](_TabularInline[C, P]):
    """Rows that are changed on the page of what they belong to."""

    extra = 0

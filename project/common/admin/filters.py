"""Filters of lists, and choosing a row of a large table, from an address of the asking page's own.

Django's autocomplete answers to those who may see the list of the other model; here the page that
asks decides who may look for what, so that staff need no right to everything they choose from.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib.admin import FieldListFilter
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.admin.widgets import AutocompleteMixin, AutocompleteSelect
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import DateTimeField, Model, Q, QuerySet
from django.forms import DateField
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format, get_format
from django.utils.timezone import localdate, make_aware
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.contrib.filters.forms import AutocompleteDropdownForm, RangeDateForm
from unfold.widgets import INPUT_CLASSES

from project.common.admin.amounts import AmountField
from project.common.admin.base import StaffAdmin
from project.common.db.search import contains, find
from project.common.money import shown

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, SimpleListFilter
    from django.contrib.admin.views.main import ChangeList
    from django_stubs_ext import StrOrPromise

    from people.models import User

    DropdownFilter = SimpleListFilter
    type Lookups = Iterable[tuple[str, StrOrPromise]]
else:
    from unfold.contrib.filters.admin import DropdownFilter

CHOICES_SHOWN = 20
# Nobody scrolls further; who looks for something types more of it.
PAGES = 500
# What can be the key of a row; databases refuse to compare with larger numbers.
KEY = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class Choices:
    """What is chosen from, what of it is searched, how a row is called, and what else the page that
    asks is told of it."""

    rows: Callable[[], QuerySet[Model]]
    fields: Sequence[str]
    label: Callable[[Any], str] = str
    more: Callable[[Any], Mapping[str, str]] = lambda _row: {}


def person_and_email(person: "User") -> str:
    return f"{person} · {person.email}"


class ChoosingAdmin[M: Model](StaffAdmin[M]):
    """A ModelAdmin that has addresses to choose from: `admin:<app>_<model>_<name>`. Whoever may see
    the list may choose."""

    choices: "ClassVar[Mapping[str, Choices]]" = {}

    def get_urls(self) -> list[URLPattern]:
        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        addresses = [
            path(
                f"{name}/",
                self.admin_site.admin_view(partial(self.choices_view, name=name)),
                name=f"{prefix}_{name}",
            )
            for name in self.choices
        ]
        return [*addresses, *super().get_urls()]

    def choices_view(self, request: HttpRequest, *, name: str) -> JsonResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        offered = self.choices[name]
        rows = found_by_term(request, offered.rows(), *offered.fields)
        return choices_response(request, rows.order_by("-pk"), offered.label, offered.more)


def found_by_term[R: QuerySet[Model]](request: HttpRequest, rows: R, *fields: str) -> R:
    """The rows with what was typed in one of the fields."""
    term = request.GET.get("term", "").strip()
    return find(rows, contains(term, *fields)) if term else rows


def choices_response(
    request: HttpRequest,
    rows: QuerySet[Model],
    label: Callable[[Any], str] = str,
    more: Callable[[Any], Mapping[str, str]] = lambda _row: {},
) -> JsonResponse:
    """Answer a page of choices as the select of Django's admin understands them. Whether there are
    more is seen by one row more, not by counting all of them."""
    asked = request.GET.get("page", "")
    number = min(int(asked), PAGES) if asked.isdecimal() and len(asked) < 10 else 1
    start = max(number - 1, 0) * CHOICES_SHOWN
    page = list(rows[start : start + CHOICES_SHOWN + 1])
    shown = page[:CHOICES_SHOWN]
    found = [{"id": str(row.pk), "text": label(row), **more(row)} for row in shown]
    goes_on = len(page) > CHOICES_SHOWN and number < PAGES
    return JsonResponse({"results": found, "pagination": {"more": goes_on}})


def select_from(
    url_name: str, base: type[AutocompleteMixin] = AutocompleteSelect
) -> type[AutocompleteSelect]:
    """A select, of one or of many, that looks for its rows at the address of this name."""

    class SelectFrom(base):  # type: ignore[misc,valid-type]
        def get_url(self) -> str:
            return reverse(url_name)

        def optgroups(self, name: str, value: list[str], attr: Any = None) -> Any:
            """What can't be a row's key is wrong, as the field says, and is not looked for."""
            keys = [one for one in value if not one or KEY.fullmatch(one)]
            return super().optgroups(name, keys, attr)

    return SelectFrom


def choose_from(
    url_name: str, label: "Callable[[User, Any], str]" = lambda _user, row: str(row)
) -> "type[FieldListFilter]":
    """A filter by a related row that is looked for at the address of this name; `label` says how
    the one that is chosen is called before this person."""

    class ChoiceForm(AutocompleteDropdownForm):  # type: ignore[misc]
        widget = select_from(url_name)

        def __init__(self, request: HttpRequest, **options: object) -> None:
            super().__init__(request=request, **options)
            for field in self.fields.values():
                field.label_from_instance = partial(label, cast("User", request.user))

    class ChoiceFilter(AutocompleteSelectFilter):  # type: ignore[misc]
        form_class = ChoiceForm

    return ChoiceFilter


class SubsetFilter(DropdownFilter):
    """Choices that are each a method of the list's queryset, or a value of the column `field`."""

    # By value in the address: name of the method, and what it is called here.
    subsets: "ClassVar[Mapping[str, tuple[str, StrOrPromise]]]"
    field = ""
    values: "ClassVar[Lookups]" = ()

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> "Lookups":
        return [*((value, text) for value, (_method, text) in self.subsets.items()), *self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value in self.subsets:
            subset: QuerySet[Any] = getattr(queryset, self.subsets[value][0])()
            return subset
        return queryset.filter(**{self.field: value}) if value in dict(self.values) else queryset


class RangeFilter(FieldListFilter):
    """From one value to another, both included. Unfold's own filters leave out what they can't read."""

    template = "admin/range_filter.html"
    classes: Sequence[str] = ()

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, admin: Any, field_path: str
    ) -> None:
        self.parameter_name = field_path
        self.from_name, self.to_name = f"{field_path}_from", f"{field_path}_to"
        super().__init__(field, request, params, model, admin, field_path)
        given: dict[str, Any] = self.used_parameters
        asked = {name: values[-1] for name, values in given.items()}
        self.used_parameters = {name: text for name, text in asked.items() if text}
        form = self.form_of(asked)
        form.full_clean()
        self.values: dict[str, Any] = form.cleaned_data
        # What was read is shown as the language writes it.
        self.form = self.form_of(asked | self.values)

    def form_of(self, data: Mapping[str, object]) -> forms.Form:
        form = forms.Form(data)
        form.fields[self.from_name] = self.form_field(_("From"))
        form.fields[self.to_name] = self.form_field(_("To"))
        for field in form.fields.values():
            field.required = False
            field.widget.attrs["class"] = " ".join([*self.classes, *INPUT_CLASSES])
        return form

    def form_field(self, label: str) -> forms.Field:
        raise NotImplementedError

    def shown(self, value: Any) -> str:
        """A bound, for the reader."""
        raise NotImplementedError

    def expected_parameters(self) -> list[str | None]:
        return [self.from_name, self.to_name]

    def has_output(self) -> bool:
        return True

    @property
    def chosen(self) -> str:
        if self.form.errors:
            return " – ".join(map(str, self.used_parameters.values()))
        first, last = self.first_and_last
        if first is None:
            return _("to %s") % self.shown(last)
        if last is None:
            return _("from %s") % self.shown(first)
        if first == last:
            return self.shown(first)
        return f"{self.shown(first)} – {self.shown(last)}"

    @property
    def first_and_last(self) -> tuple[Any, Any]:
        return self.values.get(self.from_name), self.values.get(self.to_name)

    def bounds(self, first: Any, last: Any) -> Q:
        """Those that are None don't bound."""
        given = {f"{self.field_path}__gte": first, f"{self.field_path}__lte": last}
        return Q(**{lookup: value for lookup, value in given.items() if value is not None})

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        bounds = self.bounds(*self.first_and_last)
        return self.bounded(queryset, bounds) if bounds else queryset

    def bounded(self, rows: QuerySet[Any], bounds: Q) -> QuerySet[Any]:
        return rows.filter(bounds)

    def choices(self, changelist: "ChangeList") -> Iterator[Any]:
        yield {"form": self.form}


class AmountsFilter(RangeFilter):
    """Amounts in the currency of the school."""

    classes = ("parta-amount",)

    def form_field(self, label: str) -> forms.Field:
        return AmountField(label=label)

    def shown(self, value: Any) -> str:
        return shown(value, settings.CURRENCY)


class DaysFilter(RangeFilter):
    """Days in the school's time zone, of a time or a day."""

    # The browser's part of it, which Unfold looks for here.
    form_class = RangeDateForm
    classes = ("vDateField",)

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, admin, field_path)
        self.has_times = isinstance(field, DateTimeField)
        self.is_order_of_list = admin.ordering[0].lstrip("-") == self.field_path

    def form_field(self, label: str) -> forms.Field:
        """Days as the language writes them, or as in ISO 8601. With dots the day comes first
        everywhere, so that a link from a colleague with another language is understood."""
        return forms.DateField(
            label=label,
            input_formats=[*get_format("DATE_INPUT_FORMATS"), "%d.%m.%Y"],
            validators=[_has_days_beside],
        )

    def shown(self, value: date) -> str:
        return date_format(value, "SHORT_DATE_FORMAT")

    @property
    def chosen(self) -> str:
        spans = {(first, last): label for label, first, last in recent_spans(localdate())}
        return spans.get(self.first_and_last) or super().chosen

    def bounds(self, first: date | None, last: date | None) -> Q:
        if not self.has_times:
            return super().bounds(first, last)
        days = Q()
        if first:
            days &= Q(**{f"{self.field_path}__gte": midnight(first)})
        if last:
            days &= Q(**{f"{self.field_path}__lt": midnight(last + timedelta(days=1))})
        return days

    def bounded(self, rows: QuerySet[Any], bounds: Q) -> QuerySet[Any]:
        if self.is_order_of_list:
            return rows.filter(bounds)
        return find(rows, bounds, by=str(self.field_path))

    def choices(self, changelist: "ChangeList") -> Iterator[Any]:
        spans = [
            {
                "label": label,
                "link": changelist.get_query_string(
                    {self.from_name: first, self.to_name: last, PAGE_VAR: None}
                ),
                "is_chosen": self.first_and_last == (first, last),
            }
            for label, first, last in recent_spans(localdate())
        ]
        yield {"form": self.form, "spans": spans}


def _has_days_beside(day: date) -> None:
    """Midnight of the first day that Python knows may be before it, the day after the last is none."""
    if not date.min.year < day.year < date.max.year:
        raise ValidationError(DateField.default_error_messages["invalid"])


def recent_spans(today: date) -> "Iterator[tuple[str, date, date]]":
    """What is asked for most, with its first and its last day."""
    # Sunday is 0 there.
    monday = today - timedelta(days=(today.isoweekday() - get_format("FIRST_DAY_OF_WEEK")) % 7)
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    yield _("Today"), today, today
    yield _("This week"), monday, monday + timedelta(days=6)
    yield _("This month"), month, (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    yield _("Last month"), before.replace(day=1), before
    yield _("This year"), date(today.year, 1, 1), date(today.year, 12, 31)


def midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min))

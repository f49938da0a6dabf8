"""What the pages of the admin have in common: counts that stay cheap, and our errors as messages.

The only place, with `lists.py` beside it, where Unfold's classes are subclassed without their types
being known.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from functools import wraps
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast, override

import unfold.admin
import unfold.decorators
import unfold.fields
import unfold.forms
from django.contrib import messages
from django.contrib.admin import ActionLocation, ShowFacets, site
from django.contrib.admin import ModelAdmin as BaseModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db.models import ForeignKey, Model, QuerySet
from django.db.models.expressions import Combinable
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext

from project.common.admin.lists import CappedPaginator, StaffChangeList, WholeChangeList
from project.common.admin.nouns import accusative
from project.common.errors import DomainError

if TYPE_CHECKING:
    from django.contrib import admin
    from django.contrib.admin.options import _FieldOpts
    from django_stubs_ext import StrOrPromise
    from unfold.dataclasses import UnfoldAction

    from people.models import User

    class _ModelAdmin[M: Model](BaseModelAdmin[M]):
        """What Unfold adds that we use, and what Django's stubs lack."""

        actions_detail: Sequence[str | dict[str, object]]

        def _get_obj_does_not_exist_redirect(
            self, request: HttpRequest, opts: object, object_id: str
        ) -> HttpResponse: ...

        def _changeform_view(
            self, request: HttpRequest, *args: Any, **kwargs: Any
        ) -> HttpResponse: ...

        def get_unfold_action(self, action: str) -> UnfoldAction: ...

    TabularInline = admin.TabularInline

    class _ReadonlyField:
        """A field of a form that this person can't change."""

        form: Any
        resolved_field: Any

        def _get_contents(self) -> str: ...

        def get_admin_url(self, remote_field: object, remote_obj: Model) -> str: ...
else:

    class _ModelAdmin(unfold.admin.ModelAdmin):
        def __class_getitem__(cls, model: object) -> type:
            return cls

    class TabularInline(unfold.admin.TabularInline):
        def __class_getitem__(cls, models: object) -> type:
            return cls

    _ReadonlyField = unfold.fields.UnfoldAdminReadonlyField


# As ModelAdmin has them.
type FieldNames = list[str | list[str] | tuple[str, ...] | tuple[()]]
type Fieldsets = list[tuple[StrOrPromise | None, _FieldOpts]]


class Label(NamedTuple):
    """What a column with `label` returns: the key of its colour, and the text, which is all that
    the page of a row shows, or the time."""

    key: str
    text: Any

    def __str__(self) -> str:
        return moment_shown(self.text) if isinstance(self.text, datetime) else str(self.text)


def display[F: Callable[..., object]](**options: object) -> Callable[[F], F]:
    """Unfold's decorator, with types."""
    decorate: Callable[[F], F] = unfold.decorators.display(**options)
    return decorate


def person_shown(person: "User", note: "StrOrPromise" = "") -> SafeString:
    """The cell of a list that names a person: those of one name differ by the e-mail below it."""
    below = filter(None, [person.email if person.get_full_name() else "", note])
    lines = format_html_join(
        "", '<br><span class="text-subtle">{}</span>', ((one,) for one in below)
    )
    return format_html("{}{}", person, lines)


def column(
    path: str, description: "StrOrPromise", *, is_figure: bool = False
) -> Callable[..., object]:
    """Show an attribute of the row, such as an annotation, or of a related one: `payer.email`. Amounts
    and numbers of things are figures: they stand on the right of their column."""
    value = attrgetter(path)

    @display(description=description, formatting="price" if is_figure else None)
    def shown(_admin: object, row: Model) -> object:
        return value(row)

    return shown


def moment_shown(moment: datetime | None) -> str:
    """What a column returns that computes a time: the page of a row writes what is no field as it is."""
    return date_format(localtime(moment), "DATETIME_FORMAT") if moment else "—"


def clocked(moment: datetime | None) -> str:
    """The same as an element, beside which times.js writes the reader's time."""
    if moment is None:
        return "—"
    text = '<time datetime="{}">{}</time>'
    return format_html(text, localtime(moment).isoformat(), moment_shown(moment))


class Fault(NamedTuple):
    """An error of a form: the name and the id of its field, if it is one of a field, and what is said."""

    label: str
    target: str
    text: str


def faults_of(form: BaseForm) -> Iterator[Fault]:
    for name, errors in form.errors.items():
        field = form[name] if name in form.fields else None
        label, target = (str(field.label), field.id_for_label) if field else ("", "")
        for text in errors:
            yield Fault(label, target, str(text))


def words_of(error: DomainError | ObjectDoesNotExist) -> str:
    is_ours = isinstance(error, DomainError)
    return str(error) if is_ours else gettext("This was deleted meanwhile.")


def tells_errors[V: Callable[..., HttpResponseBase]](view: V) -> V:
    """An error of the domain becomes a message on the same page; so does a row that was deleted at
    the same moment."""

    @wraps(view)
    def told(
        admin: "BaseModelAdmin[Model]", request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        try:
            return view(admin, request, *args, **kwargs)
        except (DomainError, ObjectDoesNotExist) as error:
            admin.message_user(request, words_of(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    return cast(V, told)


def is_page_open(request: HttpRequest, row: Model) -> bool:
    """Say whether there is a page of this row, and whether it lets this person in."""
    model = type(row)
    if not site.is_registered(model):
        return False
    return site.get_model_admin(model).has_view_or_change_permission(request, row)


class ReadonlyField(_ReadonlyField):
    """Names a related row, and leads to its page those whom it lets in: Django leads everybody."""

    def _get_contents(self) -> str:
        value = self.resolved_field[2] if isinstance(self.resolved_field, tuple) else None
        return clocked(value) if isinstance(value, datetime) else super()._get_contents()

    def get_admin_url(self, remote_field: object, remote_obj: Model) -> str:
        if not is_page_open(self.form.request, remote_obj):
            return str(remote_obj)
        link: str = super().get_admin_url(remote_field, remote_obj)
        return link


# Unfold has no other way to use another class.
unfold.forms.UnfoldAdminReadonlyField = ReadonlyField


class StaffAdmin[M: Model](_ModelAdmin[M]):
    """A ModelAdmin of this project."""

    # By column, what the list is put in order by where that is more than one field: names turn round
    # with the direction, expressions stay.
    orders: "ClassVar[Mapping[str, Sequence[str | Combinable]]]" = {}
    paginator = CappedPaginator
    show_full_result_count = False
    empty_value_display = "—"
    list_per_page = 50
    list_filter_submit = True
    # Counting each choice of each filter would read the whole table once for each.
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    compressed_fields = True
    list_before_template = "admin/list_head.html"
    # Unfold asks for them in each row of a form; to find that there are none takes half a millisecond.
    conditional_fields: "ClassVar[Mapping[str, str]]" = {}
    warn_unsaved_form = True
    # One sentence about what will stand in the list, as long as it has no rows.
    empty_text: "StrOrPromise" = ""
    # What `told_apart` needs of other tables.
    found_with: Sequence[str] = ()
    # What the menu calls it, if it is no list of its rows.
    title_in_menu: "StrOrPromise" = ""

    undecorated_changeform_view = _ModelAdmin.changeform_view
    changelist_view = tells_errors(_ModelAdmin.changelist_view)
    changeform_view = tells_errors(_ModelAdmin.changeform_view)
    delete_view = tells_errors(_ModelAdmin.delete_view)

    @property
    def add_label(self) -> "StrOrPromise":
        """What the button says that leads to an empty form."""
        return gettext("Add %s") % accusative(self.opts)

    def url(self, name: str, *args: object) -> str:
        """The address of a page of this model's."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)

    def label_of(self, row: M) -> str:
        """How a message and the palette call the row."""
        return str(row)

    def told_apart(self, request: HttpRequest, row: M) -> Sequence[str]:
        """What the palette says beside it, so that it can't be taken for another of the same name."""
        return ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the filters of the list ask for. Others are for nobody but who writes addresses
        by hand; they read the whole table, and some fail on some values."""
        field = lookup.partition("__")[0]
        own = {getattr(one, "parameter_name", None) for one in self.get_list_filter(request)}
        is_column = field in {"pk", *(column.name for column in self.opts.get_fields())}
        if is_column and lookup not in own and not lookup.endswith("__exact"):
            return False
        return super().lookup_allowed(lookup, value, request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Tell the forms who looks at them, as they link to other pages, and the page what is wrong.
        Django's title has the row's name in the nominative."""
        name = str(self.opts.verbose_name)
        context["title"] = context["title"].replace(name, accusative(self.opts))
        form = context["adminform"].form
        form.request = request
        context["errors"] = self.faults(form) if form.is_bound else []
        for section in context["inline_admin_formsets"]:
            for row in section.formset.forms:
                row.request = request
                is_linked = section.opts.show_change_link and row.instance.pk
                row.is_page_open = is_linked and is_page_open(request, row.instance)
                context["errors"] += faults_of(row) if row.is_bound else []
        return super().render_change_form(request, context, *args, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """What the address gives a new row, less references to what is not there."""
        given = super().get_changeform_initial_data(request)
        for field in self.opts.concrete_fields:
            if isinstance(field, ForeignKey) and field.name in given:
                try:
                    field.clean(given[field.name], None)
                except ValidationError:
                    del given[field.name]
        return given

    def faults(self, form: Any) -> list[Fault]:
        """What is wrong with the page's form."""
        return list(faults_of(form))

    def with_shown(self, rows: QuerySet[M], request: HttpRequest) -> QuerySet[M]:
        """Add what `list_display` shows: annotations and related rows. Override it."""
        return rows

    def found(self, rows: QuerySet[M], text: str) -> QuerySet[M] | None:
        """What is searched for; None: by Django's own search. Override it; `search_fields` opens
        the search box."""
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        found = self.found(queryset, search_term.strip()) if search_term.strip() else queryset
        if found is None:
            return super().get_search_results(request, queryset, search_term)
        return found, False

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[StaffChangeList]:
        return StaffChangeList

    @display(description=_ModelAdmin.action_checkbox.short_description)  # type: ignore[attr-defined]
    def action_checkbox(self, row: M) -> SafeString:
        """As Unfold's, which draws it by three templates in each row."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="{}" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            row.pk,
            unfold.admin.checkbox.attrs["class"],
            unfold.admin.checkbox.attrs["aria-label"],
        )

    def listed(self, request: HttpRequest) -> QuerySet[M]:
        """The rows of the list of this query, filtered, searched and in order, of all pages, none of
        which is read. May raise IncorrectLookupParameters."""
        lister = copy(self)
        lister.get_changelist = lambda *_args, **_options: WholeChangeList  # type: ignore[method-assign]
        rows: QuerySet[M] = lister.get_changelist_instance(request).queryset
        return rows

    def get_action_choices(
        self,
        request: HttpRequest,
        default_choices: list[tuple[str, str]] | None = None,
        action_location: ActionLocation = ActionLocation.CHANGE_LIST,
    ) -> list[tuple[str, str]]:
        """Unfold 0.110 knows no `action_location`, of which Django 6.1 warns; its words are kept."""
        first = [("", gettext("Select action"))]
        return BaseModelAdmin.get_action_choices(
            self, request, first, action_location=action_location
        )


class ReadOnly:
    """Rows that nobody writes, changes or deletes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin[M: Model](ReadOnly, StaffAdmin[M]):
    """What is done with these rows are actions."""

    actions: "Sequence[str] | None" = None
    warn_unsaved_form = False


class AdministratorsAdmin[M: Model](ReadOnlyAdmin[M]):
    """What only administrators look at, such as background work."""

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class OnlyRowAdmin[M: Model](StaffAdmin[M]):
    """A table with one row: its page stands in the place of a list."""

    @override
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(self.url("change", 1))


class ReadOnlyInline[C: Model, P: Model](ReadOnly, TabularInline[C, P]):
    """Rows that belong to the page's object, shown a page at a time and changed elsewhere."""

    extra = 0
    max_num = 0
    can_delete = False
    per_page = 10
    tab = True

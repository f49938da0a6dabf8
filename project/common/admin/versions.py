"""Forms that refuse a save over somebody else's: both texts are shown, and what was typed is kept
(docs/rules.md, 13.7)."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, override

from django import forms
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.files import File
from django.db.models import Model
from django.db.models.fields.files import FieldFile
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from project.common.admin.base import StaffAdmin, tells_errors
from project.common.errors import ChangedMeanwhile, DomainError
from project.common.versions import Expected, version_of

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelForm = forms.ModelForm

# The name under which a page sends which version it showed.
SEEN = "seen_version"


class VersionedForm(_ModelForm):
    """Part of each form of a VersionedAdmin."""

    version_of: Callable[[Any], str]
    # What a rule said of the save; the page comes again with it.
    refusal: DomainError | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What the page shows from now on: who saves once more has seen what is there.
        self.version = self.version_of(self.instance) if self.instance.pk else ""

    @property
    def gone(self) -> Sequence[_ModelForm]:
        """Forms on the page of what is not there any more."""
        return ()

    @property
    def seen(self) -> str:
        return str(self.data.get(self.add_prefix(SEEN), ""))

    @property
    def expected(self) -> Expected:
        return frozenset({self.seen}) if self.seen else None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.refusal:
            self.add_error(None, ValidationError(str(self.refusal), code=self.refusal.code))
        if self.seen and self.seen != self.version:
            self.add_error(
                None,
                ValidationError(
                    _(
                        "Somebody has changed this since you opened the page, so nothing was saved. "
                        "What you entered is still here; what is saved now stands beside each field "
                        "that differs. Saving again replaces it."
                    ),
                    code=ChangedMeanwhile.code,
                ),
            )
            show_saved(self)
        return cleaned


def show_saved(form: _ModelForm) -> None:
    """Put what is saved beside each field in which something else was entered."""
    for name in form.changed_data:
        if name in form.initial and not form.fields[name].widget.is_hidden:
            form.add_error(name, ValidationError(_saved(form, name), code=ChangedMeanwhile.code))


def _saved(form: _ModelForm, name: str) -> SafeString:
    field, value = form.fields[name], form.get_initial_for_field(form.fields[name], name)
    if type(field) is forms.ModelChoiceField and field.queryset is not None:
        value = field.queryset.filter(pk=value).first()
    text = _written(field, value)
    return format_html('{} <span class="parta-saved">{}</span>', _("Saved now:"), text)


def entered(form: _ModelForm) -> Iterator[tuple[str, str]]:
    """The label and the text of each field in which something else was entered than there was."""
    form.full_clean()
    for name in form.changed_data:
        field, clean = form.fields[name], form.cleaned_data
        if not field.widget.is_hidden:
            text = _written(field, clean[name]) if name in clean else str(form[name].data)
            yield str(form[name].label), text


def _written(field: forms.Field, value: Any) -> str:
    if isinstance(field, forms.ModelMultipleChoiceField):
        return ", ".join(field.label_from_instance(one) for one in value) or "—"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, FieldFile) and value:
        link = '<a class="text-link" href="{}" target="_blank">{}</a>'
        return format_html(link, value.url, _("picture"))
    if isinstance(value, File) and value:
        return _("picture")
    return "—" if value in (None, "") else str(value)


def _again_if_refused[V: Callable[..., HttpResponse]](view: V) -> V:
    """What a rule refuses only while it is saved is said by the page, which keeps what was entered.

    Two who save at once have both seen the version that was there: the second is told by the service
    that it has changed or is gone, and then by the page, as who comes a moment later."""

    @wraps(view)
    def answer(
        admin: object, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponse:
        try:
            return view(admin, request, *args, **kwargs)
        except (DomainError, ObjectDoesNotExist) as error:
            if isinstance(error, DomainError) and not isinstance(error, ChangedMeanwhile):
                request.refusal = error  # type: ignore[attr-defined]
            for name in request.FILES:
                for upload in request.FILES.getlist(name):
                    upload.seek(0)
            return view(admin, request, *args, **kwargs)

    return answer  # type: ignore[return-value]


class VersionedAdmin[M: Model](StaffAdmin[M]):
    """A page whose form sends the version that it showed. What saves has to check it under a lock:
    a service by `form.expected`, or `save_model` here."""

    change_form_before_template = "admin/version.html"

    changeform_view = tells_errors(_again_if_refused(StaffAdmin.undecorated_changeform_view))

    def version_of(self, row: M) -> str:
        columns = [getattr(row, field.attname) for field in row._meta.concrete_fields]
        return version_of([*columns, *self.related_keys(row)])

    def related_keys(self, row: M) -> list[list[Any]]:
        """Of what the form says of the row in other tables."""
        many = row._meta.many_to_many
        return [sorted(one.pk for one in field.value_from_object(row)) for field in many]

    @override
    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        bases = (form,) if issubclass(form, VersionedForm) else (VersionedForm, form)
        return type(form.__name__, bases, self.form_attributes(request))

    def form_attributes(self, request: HttpRequest) -> dict[str, Any]:
        """What the class of the form, which is made for one request, knows of it."""
        refusal = getattr(request, "refusal", None)
        return {"version_of": staticmethod(self.version_of), "refusal": refusal}

    @override
    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """What was entered about a row that is deleted meanwhile is not lost with it."""
        if SEEN not in request.POST:
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)
        given = request.POST.copy()
        del given[SEEN]
        form = self.get_form(request)(given)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Deleted meanwhile"),
            "opts": opts,
            "entered": [field for part in (form, *form.gone) for field in entered(part)],
            "list_url": self.url("changelist"),
        }
        return TemplateResponse(request, "admin/gone.html", context, status=404)

    @override
    def save_model(self, request: HttpRequest, obj: M, form: Any, change: bool) -> None:
        if change and form.expected is not None:
            row = self.model._base_manager.select_for_update().get(pk=obj.pk)  # noqa: SLF001
            if self.version_of(row) not in form.expected:
                raise ChangedMeanwhile
        super().save_model(request, obj, form, change)

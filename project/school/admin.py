"""The page of the school's settings, for administrators."""

from functools import cache
from typing import Any, override
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from project.common.admin.base import OnlyRowAdmin
from project.common.admin.fields import PictureField, PicturesAdmin, TextField
from project.common.admin.proof import PROOF, ProvingAdmin, ProvingForm
from project.common.admin.versions import VersionedAdmin, VersionedForm
from project.common.images import LOGO
from project.school.current import in_effect
from project.school.models import School
from project.school.services import update_school

OF_SEVERAL_LINES = ("address", "cash_instructions", "transfer_instructions", "bank_details")
# Where people live; the other names are older ones of the same zones, or those of machines.
AREAS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


@cache
def _zones() -> list[str]:
    """Kept: Python opens six hundred files to find them."""
    found = available_timezones()
    return ["UTC", *sorted(name for name in found if name.partition("/")[0] in AREAS)]


def _time_zones() -> list[tuple[str, str]]:
    default = _("Default: %s") % settings.TIME_ZONE
    return [("", default), *((name, name) for name in _zones())]


class LogoField(PictureField):
    sizes = LOGO


class SchoolForm(ProvingForm, VersionedForm):
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=_time_zones,
        required=False,
        widget=UnfoldAdminSelect2Widget,
        help_text=gettext_lazy(
            "In which times are shown and typed in the admin, and written in emails and receipts."
        ),
    )
    daily_mail_hour = forms.TypedChoiceField(
        label=gettext_lazy("Hour of the daily email"),
        coerce=int,
        choices=[(hour, f"{hour}:00") for hour in range(24)],
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("In the school’s time zone."),
    )

    class Meta:
        field_classes = {"logo": LogoField, **dict.fromkeys(OF_SEVERAL_LINES, TextField)}
        help_texts = {
            "name": gettext_lazy("In emails, on receipts, and wherever people log in."),
            "logo": gettext_lazy("JPEG, PNG or WebP."),
            "colour": gettext_lazy(
                "Of buttons in emails and of the admin. Texts on it are white or black, whichever can be "
                "read."
            ),
            "email": gettext_lazy("Where people can ask; it stands in emails and on receipts."),
            "sender_name": gettext_lazy("Stands beside the address that emails come from."),
            "transfer_instructions": gettext_lazy(
                "A buyer sees this, and below it the bank details, until the payment is confirmed."
            ),
            "cash_instructions": gettext_lazy("A buyer sees this until the payment is confirmed."),
        }
        widgets = {name: UnfoldAdminTextareaWidget(attrs={"rows": 4}) for name in OF_SEVERAL_LINES}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """An empty field shows what is in effect as long as it is empty."""
        super().__init__(*args, **kwargs)
        default = in_effect(School(name=self.instance.name))
        others = {"name", "logo", "time_zone", "daily_mail_hour", "shows_checklist", PROOF}
        for name in self.fields.keys() - others:
            self.fields[name].widget.attrs["placeholder"] = getattr(default, name)
        self.fields["name"].widget.attrs["placeholder"] = settings.SCHOOL_NAME
        # What browsers have for colours can't be empty, so it stands beside the field.
        self.fields["colour"].widget.attrs["suffix"] = format_html(
            '<input type="color" class="parta-picker" value="{}" aria-label="{}" x-data x-on:input="{}">',
            self.instance.colour or default.colour,
            _("Choose a colour"),
            "$el.closest('div').querySelector('[name=colour]').value = $el.value",
        )


@admin.register(School)
class SchoolAdmin(
    PicturesAdmin, OnlyRowAdmin[School], ProvingAdmin[School], VersionedAdmin[School]
):
    form = SchoolForm
    proved_fields = frozenset({"transfer_instructions", "bank_details"})
    needed_only = gettext_lazy("Needed only to change where transfers go.")
    not_without = gettext_lazy("This is needed to change where transfers go.")
    fieldsets = (
        (None, {"fields": (("name", "logo"), ("colour", "sender_name"))}),
        (
            gettext_lazy("Contact"),
            {"fields": (("email", "phone"), ("address", "tax_id"))},
        ),
        (
            gettext_lazy("Payments that staff confirm"),
            {"fields": ("cash_instructions", ("transfer_instructions", "bank_details"))},
        ),
        (gettext_lazy("Time"), {"fields": (("time_zone", "daily_mail_hour"),)}),
        (gettext_lazy("Dashboard"), {"fields": ("shows_checklist",)}),
    )

    @override
    def get_fieldsets(self, request: HttpRequest, obj: School | None = None) -> Any:
        asked = [(None, {"fields": (PROOF,)})] if self.asks_proof(request) else []
        return [*super().get_fieldsets(request, obj), *asked]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: School | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: School | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: School | None = None) -> bool:
        return self.has_change_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    @override
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.hide_checklist)
        own = path("hide-checklist/", view, name="school_school_hide_checklist")
        return [own, *super().get_urls()]

    @method_decorator(require_POST)
    def hide_checklist(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        update_school(changes={"shows_checklist": False})
        said = _("The checklist is hidden. The page “School” shows it again.")
        self.message_user(request, said)
        return HttpResponseRedirect(reverse("admin:index"))

    @override
    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> School | None:
        """Before it was saved for the first time there is no row."""
        if object_id != "1":
            return None
        return School.objects.filter(pk=1).first() or School(pk=1)

    @override
    def version_of(self, row: School) -> str:
        return row.version

    @override
    def save_model(self, request: HttpRequest, obj: School, form: SchoolForm, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        if "logo" in changes:  # False says that there is to be none
            changes["logo"] = changes["logo"] or None
        saved = update_school(changes=changes, expected=form.expected)
        vars(obj).update(vars(saved))

"""Groups give rights; administrators say which."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import ManyToManyField, Model, QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from people.current_user import current_user
from people.models.querysets import MODERATORS
from people.permissions import can_give_rights
from project.common.admin.versions import VersionedAdmin
from project.common.db.searched import normalised

if TYPE_CHECKING:
    _PermissionsField = forms.ModelMultipleChoiceField[Permission]
else:
    _PermissionsField = forms.ModelMultipleChoiceField

# What people work with; sessions, tokens, histories and the like are nobody's to give.
MODELS = (
    "course",
    "lesson",
    "subscription",
    "access",
    "payment",
    "user",
    "group",
    "ormq",
    "success",
    "failure",
    "schedule",
)
# Django keeps the names of rights in the database, in English; these are translated.
VERBS = {
    "view": gettext_noop("view"),
    "add": gettext_noop("add"),
    "change": gettext_noop("change"),
    "delete": gettext_noop("delete"),
}


class RightsField(_PermissionsField):
    def label_from_instance(self, obj: Permission) -> str:
        verb = obj.codename.partition("_")[0]
        return f"{capfirst(obj.content_type.name)}: {_(VERBS.get(verb, obj.name))}"


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(VersionedAdmin[Group]):
    list_display = ("name",)
    search_fields = ("name",)  # opens the search box; `found` searches
    ordering = ("name",)
    fields = ("name", "permissions")
    actions = None  # a bulk deletion would not ask about each group

    def found(self, rows: QuerySet[Group], text: str) -> QuerySet[Group]:
        """Among names that are few, and of no model of ours."""
        words = normalised(text).split()
        names = rows.values_list("pk", "name")
        found = [pk for pk, name in names if all(one in normalised(name) for one in words)]
        return rows.filter(pk__in=found)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return can_give_rights(current_user(request)) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return can_give_rights(current_user(request)) and super().has_change_permission(
            request, obj
        )

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """The group of moderators is part of the platform."""
        is_ours = obj is not None and obj.name == MODERATORS
        may = can_give_rights(current_user(request)) and not is_ours
        return may and super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> list[str]:
        return ["name"] if obj is not None and obj.name == MODERATORS else []

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Model, Model]", request: HttpRequest, **kwargs: object
    ) -> "forms.ModelMultipleChoiceField[Any] | None":
        if db_field.name != "permissions":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        rights = Permission.objects.filter(content_type__model__in=MODELS)
        return RightsField(
            queryset=rights.select_related("content_type").order_by(
                "content_type__app_label", "content_type__model", "id"
            ),
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
            label=capfirst(db_field.verbose_name),
            required=False,
        )

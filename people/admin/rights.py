"""The rights that a role can have: those that do something, by area and in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.forms.models import ModelChoiceIterator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    _PermissionsField = forms.ModelMultipleChoiceField[Permission]
    _Iterator = ModelChoiceIterator[Permission]
else:
    _Iterator = ModelChoiceIterator
    _PermissionsField = forms.ModelMultipleChoiceField

# Django has four for each model; most are asked for by nobody (docs/rules.md, 1.6). The first of an
# area opens it: without it the others show nothing.
AREAS: "dict[StrOrPromise, dict[str, StrOrPromise]]" = {
    _("Courses and lessons: one's own; moderators: all"): {
        "lms.view_course": _("See courses"),
        "lms.add_course": _("Create courses"),
        "lms.change_course": _("Change courses"),
        "lms.delete_course": _("Delete courses"),
        "lms.view_lesson": _("See lessons"),
        "lms.add_lesson": _("Add lessons"),
        "lms.change_lesson": _("Change lessons"),
        "lms.delete_lesson": _("Delete lessons"),
    },
    _("Access to courses"): {
        "lms.view_access": _("See who has access"),
        "lms.add_access": pgettext_lazy("right", "Give access"),
        "lms.change_access": _("Revoke access"),
    },
    _("Payments"): {
        "payments.view_payment": _("See and export payments"),
        "payments.confirm_payment": _("Confirm and reject cash and transfers"),
        "payments.refund_payment": _("Refund payments"),
        "payments.add_payment": pgettext_lazy("right", "Import payments"),
        "payments.close_month": _("Close months"),
    },
    _("People"): {
        "people.view_user": _("See people"),
        "people.change_user": _("Change and block people"),
        "people.add_user": _("Add people (with “Change and block people”)"),
        "people.delete_user": _("Erase people (with “Change and block people”)"),
    },
}
WORDS = {name: words for rights in AREAS.values() for name, words in rights.items()}


def name_of(right: Permission) -> str:
    return f"{right.content_type.app_label}.{right.codename}"


def rights_with_effect() -> QuerySet[Permission]:
    names = [name.split(".") for name in WORDS]
    return Permission.objects.filter(
        content_type__app_label__in={app for app, _codename in names},
        codename__in=[codename for _app, codename in names],
    ).select_related("content_type")


class _ByArea(_Iterator):
    def __iter__(self) -> Iterator[Any]:
        rights = {name_of(right): right for right in self.queryset}
        for area, names in AREAS.items():
            yield area, [self.choice(rights[name]) for name in names if name in rights]


class RightsField(_PermissionsField):
    iterator = _ByArea

    def __init__(self, **options: Any) -> None:
        super().__init__(
            queryset=rights_with_effect(),
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
            required=False,
            **options,
        )

    def label_from_instance(self, obj: Permission) -> str:
        return str(WORDS[name_of(obj)])

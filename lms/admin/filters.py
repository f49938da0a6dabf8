"""Filters of the lists of courses and lessons."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Model
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.contrib.filters.forms import AutocompleteDropdownForm

from lms.admin.materials import person_label


class AuthorSelect(AutocompleteSelect):
    """Looks for authors at an address of ours: moderators may not look through all people."""

    def get_url(self) -> str:
        return reverse("admin:lms_course_authors")


class AuthorField(forms.ModelChoiceField):  # type: ignore[type-arg]
    viewer: Any = None

    def label_from_instance(self, obj: Model) -> str:
        return person_label(self.viewer, obj)  # type: ignore[arg-type]


class AuthorForm(AutocompleteDropdownForm):  # type: ignore[misc]
    field = AuthorField
    widget = AuthorSelect

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.viewer = kwargs["request"].user


class AuthorFilter(AutocompleteSelectFilter):  # type: ignore[misc]
    form_class = AuthorForm

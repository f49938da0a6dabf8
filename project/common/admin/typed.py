"""What has to be typed before something is done that can't be undone: haste is no decision
(docs/rules.md, 13.11)."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget

TYPED = "typed"


class TypedField(forms.CharField):
    """Takes one text only, however its letters are spaced and their case."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            label=_("To confirm, type: %(text)s") % {"text": text},
            widget=UnfoldAdminTextInputWidget(
                attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
            ),
        )

    def clean(self, value: Any) -> str:
        typed: str = super().clean(value)
        if _plain(typed) != _plain(self.text):
            raise ValidationError(_("This is not “%(text)s”.") % {"text": self.text})
        return typed


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()

"""The forms of questions: what is asked before something is done with rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from uuid import UUID, uuid4

from django import forms
from django.core import signing
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from project.common.texts import LineField

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

type Answers = Mapping[str, Any]
SEEN = "project.common.admin.seen"


def reason_field(*, max_length: int, help_text: "StrOrPromise") -> LineField:
    return LineField(
        label=gettext_lazy("Reason"),
        max_length=max_length,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=help_text,
    )


class ReasonForm(forms.Form):
    reason = reason_field(
        max_length=200, help_text=gettext_lazy("Recorded with the action. Only staff can see it.")
    )


class RowsForm(forms.Form):
    """A form whose choices depend on the rows that it is about."""

    template: ClassVar[str] = "admin/ask.html"

    def fit_to(self, rows: Sequence[Any]) -> None:
        raise NotImplementedError

    def answers_of(self, row: Any) -> "Answers | None":
        """What was answered for one of the rows; None: it is to be left out."""
        return self.cleaned_data


class Preview(Protocol):
    """A mail as it will look."""

    @property
    def subject(self) -> str: ...

    @property
    def html(self) -> str: ...


class PreviewForm(forms.Form):
    """A form whose answers are shown as they will look, and done only as they were shown."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Among the answers is the `key` of the preview that shows them; None if there is none."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            key, shown = signing.loads(cleaned.pop("seen", ""), salt=SEEN)
        except signing.BadSignature:
            key, shown = "", None
        cleaned["key"] = UUID(key) if shown == cleaned else None
        return cleaned

    def note_shown(self) -> None:
        """Put into the form what it shows, under a new key."""
        answers = {name: value for name, value in self.cleaned_data.items() if name != "key"}
        seen = signing.dumps([uuid4().hex, answers], salt=SEEN)
        self.data = {**{name: self.data[name] for name in self.data}, "seen": seen}

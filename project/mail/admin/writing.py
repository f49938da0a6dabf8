"""The form in which staff write to one person."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from project.common.admin.forms import PreviewForm, RowsForm
from project.common.texts import SUBJECT_LENGTH, TEXT_LENGTH, LineField
from project.mail.admin.telling import unreached

if TYPE_CHECKING:
    from people.models import User


class MessageForm(PreviewForm, RowsForm):
    """Plain text for an address that gets mails of this kind."""

    kind: ClassVar[str]

    subject = LineField(
        label=gettext_lazy("Subject"),
        max_length=SUBJECT_LENGTH,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )
    text = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=TEXT_LENGTH,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 10}),
        help_text=gettext_lazy(
            "Plain text, after the greeting. It will be signed with your first name, and answers go to the "
            "school's contact address."
        ),
    )
    unreached = ""

    def person_of(self, row: Any) -> "User":
        raise NotImplementedError(row)

    def fit_to(self, rows: Sequence[Any]) -> None:
        self.unreached = " ".join(unreached(self.kind, map(self.person_of, rows)))
        if self.unreached:
            self.fields["subject"].help_text = self.unreached

    def clean_text(self) -> str:
        return "\n".join(self.cleaned_data["text"].splitlines())

    def clean(self) -> dict[str, Any]:
        if self.unreached:
            raise ValidationError(self.unreached)
        return super().clean()

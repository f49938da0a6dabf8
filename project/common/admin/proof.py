"""That it is still the person who logged in: asked once more before what money or rights depend on.

The gate of the admin (`project/admin_site/gate.py`) gives each request its `proof`.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast, override

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from project.common.admin.base import StaffAdmin

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    _ModelForm = forms.ModelForm[Any]
else:
    _ModelForm = forms.ModelForm

# The name of the field in whatever form asks.
PROOF = "proof"


class Proof(Protocol):
    def field(self) -> forms.Field | None:
        """What is asked: a code, or the password of who has no device; None soon after either."""

    def give(self, answer: str) -> None:
        """Check it and remember when. Raises ValidationError."""


def proof_of(request: HttpRequest) -> Proof:
    return cast(Proof, request.proof)  # type: ignore[attr-defined]


def ask_in(form: forms.BaseForm, request: HttpRequest) -> None:
    """Put the question into a form, last, if it is to be asked."""
    if field := proof_of(request).field():
        form.fields[PROOF] = field


def is_given(form: forms.BaseForm, request: HttpRequest) -> bool:
    """Check the answer of a form that is valid but for it; a wrong one is an error of its field."""
    if PROOF not in form.fields:
        return True
    return _gives(form, proof_of(request))


def _gives(form: forms.BaseForm, proof: Proof) -> bool:
    try:
        proof.give(form.cleaned_data.pop(PROOF))
    except ValidationError as error:
        form.add_error(PROOF, error)
        return False
    return True


class ProvingForm(_ModelForm):
    """Asks for a proof if one of some fields was changed."""

    proof = forms.CharField(required=False)
    asks: Proof
    proved_fields: frozenset[str]
    needed_only: "StrOrPromise"
    not_without: "StrOrPromise"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.asks.field()
        if field is None:
            del self.fields[PROOF]
            return
        field.required = False
        field.help_text = f"{self.needed_only} {field.help_text}"
        self.fields[PROOF] = field

    @property
    @override
    def changed_data(self) -> list[str]:
        return [name for name in super().changed_data if name != PROOF]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        is_asked = PROOF in self.fields and not self.proved_fields.isdisjoint(self.changed_data)
        # A code works once: it is not used up by a form that has to be sent again anyway.
        if is_asked and not self.errors:
            if cleaned.get(PROOF):
                _gives(self, self.asks)
            else:
                self.add_error(PROOF, ValidationError(self.not_without))
        return cleaned


class ProvingAdmin[M: Model](StaffAdmin[M]):
    """A page with fields that give rights, or say where money goes. It names PROOF beside them if
    `asks_proof`."""

    proved_fields: ClassVar[frozenset[str]] = frozenset()
    needed_only: "ClassVar[StrOrPromise]" = gettext_lazy("Needed only to change rights.")
    not_without: "ClassVar[StrOrPromise]" = gettext_lazy("This is needed to change rights.")

    def asks_proof(self, request: HttpRequest) -> bool:
        return proof_of(request).field() is not None

    @override
    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        known = {
            "asks": proof_of(request),
            "proved_fields": self.proved_fields,
            "needed_only": self.needed_only,
            "not_without": self.not_without,
        }
        return type(form.__name__, (form,), known)

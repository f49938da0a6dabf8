"""That it is still the person who logged in: asked once more before what money or rights depend on.

The gate of the admin (`project/admin_site/gate.py`) gives each request its `proof`.
"""

from typing import Protocol, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

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

"""Pages of the admin that ask before something is done: what will happen, and why it is wanted.

A GET shows the question and changes nothing; a POST with the answer is for the caller.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=_("Kept with what was done, for the staff only."),
    )


@dataclass(frozen=True, kw_only=True)
class Question:
    """`title` is what is asked and what the button says; `facts` are what it is about."""

    title: "StrOrPromise"
    explanation: "StrOrPromise"
    back: str
    facts: "list[tuple[StrOrPromise, str]]" = field(default_factory=list)
    form: forms.Form | None = None
    is_danger: bool = False


def ask(request: HttpRequest, model_admin: "ModelAdmin[Any]", question: Question) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": str(question.title),
        "opts": model_admin.opts,
        "question": question,
    }
    return TemplateResponse(request, "admin/ask.html", context)

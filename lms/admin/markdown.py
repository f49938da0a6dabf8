"""The field of a description: what it will look like, and what of it is refused, while it is typed."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from lms.markdown import render
from lms.models import Lesson
from lms.models.materials import DESCRIPTION_MAX_LENGTH
from people.current_user import current_user
from project.common.admin.fields import TextField

if TYPE_CHECKING:
    _Textarea = forms.Textarea
else:
    _Textarea = UnfoldAdminTextareaWidget

RIGHTS = ("lms.add_course", "lms.change_course", "lms.add_lesson", "lms.change_lesson")


class MarkdownWidget(_Textarea):
    template_name = "admin/lms/markdown.html"

    class Media:
        js = ("parta/markdown.js",)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        text = (value or "")[:DESCRIPTION_MAX_LENGTH]
        context["widget"] |= {
            "url": reverse("admin:lms_markdown"),
            "html": render(text).description_html,
        }
        return context


def markdown_view(request: HttpRequest) -> HttpResponse:
    """What a description would be shown as, and what the form would say of it. Saves nothing."""
    if not any(map(current_user(request).has_perm, RIGHTS)):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    text, refusal = request.POST.get("text", ""), ""
    try:
        text = TextField(required=False, max_length=DESCRIPTION_MAX_LENGTH).clean(text)
        Lesson._meta.get_field("description").run_validators(text)
    except ValidationError as error:
        refusal = " ".join(error.messages)
    html = render(text[:DESCRIPTION_MAX_LENGTH]).description_html
    return JsonResponse({"html": html, "refusal": refusal})

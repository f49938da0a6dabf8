"""What the page of a row begins with: what it is, in which state, key figures, and what can be done.
Ids and raw data come last on the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin import site
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from project.common.admin.base import StaffAdmin, is_page_open

if TYPE_CHECKING:
    from django.contrib.admin.options import _FieldOpts
    from django_stubs_ext import StrOrPromise

# Of the buttons that are rarely needed so many are shown beside the others; more are folded.
RARE_SHOWN = 2


@dataclass(frozen=True)
class Badge:
    """`variant` is one of Unfold's colours."""

    text: "StrOrPromise"
    variant: str = "default"


@dataclass(frozen=True)
class HeadFact:
    label: "StrOrPromise"
    text: "StrOrPromise"
    link: str = ""
    note: str = ""


@dataclass(frozen=True)
class Head:
    """`title` is what the row is called, or the amount, where it is about one; `said` are sentences."""

    title: str
    badges: Sequence[Badge] = ()
    facts: Sequence[HeadFact] = ()
    said: "Sequence[StrOrPromise]" = ()


def fact_about(
    request: HttpRequest, label: "StrOrPromise", row: Model, *, text: str = "", note: str = ""
) -> HeadFact:
    """Names a row, and leads to its page those whom it lets in."""
    link = ""
    if is_page_open(request, row):
        link = site.get_model_admin(type(row)).url("change", row.pk)  # type: ignore[attr-defined]
    return HeadFact(label, text or str(row), link, note)


def folded(*fields: str | list[str] | tuple[str, ...]) -> "tuple[StrOrPromise, _FieldOpts]":
    """The group of fields that the head has told already, or that say little to people."""
    return gettext_lazy("Details"), {"fields": fields, "classes": ("collapse",)}


class HeadedAdmin[M: Model](StaffAdmin[M]):
    change_form_outer_before_template = "admin/head.html"

    def head_of(self, request: HttpRequest, row: M) -> Head:
        raise NotImplementedError

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """A phone has no room for Unfold's buttons beside the title and hides them."""
        if row := context["original"]:
            context["head"] = self.head_of(request, row)
            offered = context.pop("actions_detail", ())
            rare = [item for button in offered for item in button.get("items", ())]
            shown = [button for button in offered if "items" not in button]
            are_folded = len(rare) > RARE_SHOWN
            context["offered"] = shown if are_folded else [*shown, *rare]
            context["rarely_offered"] = rare if are_folded else []
        return super().render_change_form(request, context, *args, **kwargs)

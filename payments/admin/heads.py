"""What a page of the payments book begins with: the money, its state, whose and what for, and what can
be done. Figures come after its life, and ids at Stripe last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin import site
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from payments.admin.base import PaymentsBookAdmin
from payments.models import Payment
from project.common.admin.base import is_page_open

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

type Button = dict[str, Any]


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
    """`title` is the amount, where it is about one."""

    title: str
    badges: Sequence[Badge]
    facts: Sequence[HeadFact]


def fact_about(
    request: HttpRequest, label: "StrOrPromise", row: Model, *, text: str = "", note: str = ""
) -> HeadFact:
    """Names a row, and leads to its page those whom it lets in."""
    link = ""
    if is_page_open(request, row):
        link = site.get_model_admin(type(row)).url("change", row.pk)  # type: ignore[attr-defined]
    return HeadFact(label, text or str(row), link, note)


def facts_of_payment(request: HttpRequest, payment: Payment) -> list[HeadFact]:
    """Names a payment and who made it."""
    payer = payment.payer
    return [
        fact_about(request, _("payment"), payment),
        fact_about(request, _("payer"), payer, note=payer.email),
    ]


class HeadedAdmin[M: Model](PaymentsBookAdmin[M]):
    change_form_outer_before_template = "admin/payments/head.html"

    def head_of(self, request: HttpRequest, row: M) -> Head:
        raise NotImplementedError

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """A phone has no room for Unfold's buttons beside the title and hides them."""
        if row := context["original"]:
            context["head"] = self.head_of(request, row)
            context["offered"] = list(_buttons(context.pop("actions_detail", ())))
        return super().render_change_form(request, context, *args, **kwargs)


def _buttons(offered: Sequence[Button]) -> Iterator[Button]:
    """With those that Unfold would put into a menu."""
    for button in offered:
        yield from button.get("items", [button])

"""What the pages of the payments book have in common."""

from collections.abc import Sequence

from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _

from payments.models import Finding, Payment
from payments.permissions import can_see_payments
from payments.services.decisions import decisions_about, decisions_about_each
from people.current_user import current_user
from project.common.admin.actions import ActionsAdmin
from project.common.admin.base import ReadOnlyAdmin
from project.common.admin.heads import HeadFact, fact_about
from project.common.admin.seen import Shown
from project.common.decisions import Decision, latest


def facts_of_payment(request: HttpRequest, payment: Payment) -> list[HeadFact]:
    """Names a payment and who made it."""
    payer = payment.payer
    return [
        fact_about(request, _("payment"), payment),
        fact_about(request, _("payer"), payer, note=payer.email),
    ]


class PaymentsBookAdmin[M: Model](ReadOnlyAdmin[M]):
    """Whoever may see payments sees all that belongs to them."""

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return can_see_payments(current_user(request))


class DecisionsAdmin[M: Payment | Finding](PaymentsBookAdmin[M], ActionsAdmin[M]):
    """Pages on which staff decide about money: who decides has seen all that was decided before."""

    def states_of(self, rows: Sequence[M]) -> dict[M, frozenset[str]]:
        known = decisions_about_each(rows)
        return {row: frozenset(one.name for one in known[row.pk]) for row in rows}

    def decision_since(self, row: M, shown: Shown) -> Decision | None:
        return latest(decisions_about(row), shown.state_of(row.pk))

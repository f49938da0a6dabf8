"""What was found wrong: to repair, or to settle with a reason."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.enums import ActionVariant

from payments.admin.actions import ACCEPT_AMOUNT, REFUND
from payments.admin.base import DecisionsAdmin, facts_of_payment
from payments.admin.columns import payment_link
from payments.models import Finding, FindingKind, FindingStatus, Payment
from payments.permissions import can_settle
from payments.services import consistency, findings
from project.common.admin.actions import Facts, StaffAction
from project.common.admin.base import Label, clocked, display
from project.common.admin.forms import ReasonForm
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, fact_about, folded

REPAIR = StaffAction[Finding](
    name="repair",
    title=_("Repair now"),
    icon="build",
    variant=ActionVariant.PRIMARY,
    explanation=_("Looks at it once more, asks Stripe if need be, and does what the facts say."),
    allows=can_settle,
    fits=lambda finding: (
        finding.status == FindingStatus.OPEN and finding.kind in consistency.REPAIRABLE
    ),
    run=lambda finding, _by, _answers: consistency.repair_finding(finding),
    done=_("It was repaired."),
    on_list=True,
)
SETTLE = StaffAction[Finding](
    name="settle",
    title=_("Settle"),
    icon="task_alt",
    explanation=_(
        "You have dealt with it, or nothing is to be done. It stays settled unless the facts change."
    ),
    allows=can_settle,
    fits=lambda finding: finding.status == FindingStatus.OPEN,
    form=ReasonForm,
    run=lambda finding, by, answers: findings.settle_finding(finding=finding, by=by, **answers),
    done=_("Settled: %(rows)s."),
    takes_seen=True,
    on_list=True,
)


def _of_payment(action: StaffAction[Payment]) -> StaffAction[Finding]:
    """What decides about a payment whose sum differs, beside the finding."""

    def payment_of(finding: Finding) -> Payment:
        assert finding.payment is not None  # noqa: S101 - `fits`
        return finding.payment

    return StaffAction[Finding](
        name=action.name,
        title=action.title,
        icon=action.icon,
        explanation=lambda finding: action.explain(payment_of(finding)),
        allows=action.allows,
        fits=lambda finding: (
            finding.status == FindingStatus.OPEN
            and finding.kind == FindingKind.AMOUNT_DIFFERS
            and finding.payment is not None
            and finding.payment.awaits_decision
            and action.fits(finding.payment)
        ),
        form=action.form,
        run=lambda finding, by, answers: action.run(payment_of(finding), by, answers),
        done=action.done,
        variant=action.variant,
        is_danger=action.is_danger,
        asks_code=action.asks_code,
        takes_seen=action.takes_seen,
        typed=lambda finding: action.typed(payment_of(finding)),
    )


COLOURS = {
    FindingStatus.OPEN.value: "danger",
    FindingStatus.REPAIRED.value: "success",
    FindingStatus.SETTLED.value: "default",
}


@admin.register(Finding)
class FindingAdmin(HeadedAdmin[Finding], DecisionsAdmin[Finding]):
    list_display = ("kind", "payment_link", "detail_shown", "status_label", "first_seen_at")
    list_filter = (("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    empty_text = _(
        "Contradictions between payments, access and Stripe will appear here after the nightly check."
    )
    # Those that are open come first.
    ordering = ("status", "-id")
    sortable_by = ()
    fieldsets = (
        folded(
            ("kind", "status"),
            ("payment", "reference"),
            "detail_shown",
            ("first_seen_at", "last_seen_at", "closed_at"),
            ("settled_by", "settled_reason"),
        ),
    )
    staff_actions = (_of_payment(ACCEPT_AMOUNT), _of_payment(REFUND), REPAIR, SETTLE)

    payment_link = payment_link

    def with_shown(self, rows: QuerySet[Finding], request: HttpRequest) -> QuerySet[Finding]:
        return rows.select_related("payment__payer")

    def head_of(self, request: HttpRequest, row: Finding) -> Head:
        payment = row.payment
        facts = facts_of_payment(request, payment) if payment else []
        facts.append(HeadFact(_("first seen"), clocked(row.first_seen_at)))
        if row.settled_by:
            facts.append(fact_about(request, _("settled by"), row.settled_by))
            facts.append(HeadFact(_("reason"), row.settled_reason))
        badge = Badge(row.get_status_display(), COLOURS[row.status])
        return Head(row.get_kind_display(), [badge], facts, [row.detail])

    @display(description=_("what is wrong"))
    def detail_shown(self, finding: Finding) -> str:
        return finding.detail

    @display(description=_("status"), label=COLOURS)
    def status_label(self, finding: Finding) -> Label:
        return Label(finding.status, finding.get_status_display())

    def facts_of(self, row: Finding) -> Facts:
        payment = row.payment
        about = f"{payment.title}, {payment.shown_amount}" if payment else row.reference
        return [
            (self.opts.get_field("payment").verbose_name, about),
            (self.opts.get_field("kind").verbose_name, row.get_kind_display()),
            (_("what is wrong"), row.detail),
        ]

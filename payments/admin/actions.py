"""What staff do with a payment."""

from typing import TYPE_CHECKING

from django import forms
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldBooleanSwitchWidget

from lms.mails import GIVEN
from lms.permissions import can_grant_access
from payments.admin.confirming import ConfirmManyForm, told_of
from payments.admin.received import DayField, reference_field
from payments.mails import RECEIVED, REFUNDED, REJECTED, REOPENED
from payments.models import Finding, MoveSource, Payment, PaymentMethod, PaymentStatus, RefundStatus
from payments.models.states import OPEN_STATUSES
from payments.permissions import (
    can_confirm,
    can_refund,
    can_see_payments,
    can_vouch_for,
    can_write_about,
)
from payments.services import checkout, refunds, staff
from payments.services.modes import require_here
from people import messages
from people.mails import MESSAGE
from people.models import BlockReason
from project.common.admin.actions import StaffAction
from project.common.admin.amounts import AmountField
from project.common.admin.forms import Answers
from project.mail.admin.telling import TellForm, TellReasonForm
from project.mail.admin.writing import MessageForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from people.models import User


def _payment(row: Payment | Finding) -> Payment:
    """What the page is about: that of a finding offers what decides about its payment, too."""
    payment = row if isinstance(row, Payment) else row.payment
    assert payment is not None  # noqa: S101 - `fits`
    return payment


class RejectForm(TellForm):
    kind = REJECTED

    def person_of(self, row: Payment | Finding) -> "User":
        return _payment(row).payer


class UndoForm(RejectForm):
    kind = REOPENED


class TakenForm(TellReasonForm):
    """About money that was taken, of which the payer gets a mail in any case."""

    kind = RECEIVED

    def person_of(self, row: Payment | Finding) -> "User":
        return _payment(row).payer


class ConfirmForm(TakenForm):
    field_order = ("day", "bank_reference", "reason", "tell")
    day = DayField()
    bank_reference = reference_field()


class GrantForm(TakenForm):
    kind = GIVEN


class WriteForm(MessageForm):
    kind = MESSAGE

    def person_of(self, row: Payment) -> "User":
        return row.payer


class RefundForm(TakenForm):
    kind = REFUNDED
    field_order = ("reason", "amount", "ends_access", "tell")
    amount = AmountField(
        required=False,
        help_text=gettext_lazy("Leave it empty to give back all that is left."),
    )
    ends_access = forms.BooleanField(
        label=gettext_lazy("End the access"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("It ends in any case once the whole amount has gone back."),
    )

    def fit_to(self, rows: "Sequence[Payment | Finding]") -> None:
        super().fit_to(rows)
        self.fields["amount"].widget.currency = _payment(rows[0]).currency


def _refund(payment: Payment, by: "User", answers: Answers) -> str:
    refund = refunds.refund_payment(payment=payment, by=by, **answers)
    if refund.status == RefundStatus.REQUESTED:
        return _("The refund is under way: the payment page shows when it has succeeded.")
    return _("The money was refunded.")


def _noted_of_money(answers: Answers) -> str:
    """As the bank's statement has it."""
    day = (answers["day"] or localdate()).isoformat()
    return " · ".join(filter(None, [answers["reason"], day, answers["bank_reference"]]))


def _ask_stripe(payment: Payment, _by: "User", _answers: Answers) -> str:
    require_here(payment)
    checkout.ask_stripe(payment, source=MoveSource.STAFF)
    payment.refresh_from_db(fields=["status"])
    text = _("Stripe has replied. The payment is: %(status)s.")
    return text % {"status": payment.get_status_display()}


ASK_STRIPE = StaffAction[Payment](
    name="ask_stripe",
    title=gettext_lazy("Ask Stripe now"),
    icon="question_answer",
    explanation=gettext_lazy(
        "The current state of this payment is requested from Stripe and recorded, as if Stripe had sent an event."
    ),
    allows=can_see_payments,
    fits=lambda payment: bool(payment.session_id) and payment.status in OPEN_STATUSES,
    run=_ask_stripe,
)
CONFIRM = StaffAction[Payment](
    name="confirm",
    title=pgettext_lazy("payment", "Confirm"),
    icon="check_circle",
    variant=ActionVariant.PRIMARY,
    explanation=gettext_lazy(
        "The money has been received. The learner will get access immediately."
    ),
    allows=can_confirm,
    allows_with=lambda user, payment: can_vouch_for(user, payment.payer),
    fits=lambda payment: (
        payment.method != PaymentMethod.STRIPE
        and payment.can_move(PaymentStatus.PAID)
        and payment.has_target
    ),
    form=ConfirmForm,
    noted=_noted_of_money,
    run=lambda payment, by, answers: staff.confirm_payment(payment=payment, by=by, **answers),
    takes_seen=True,
    done=gettext_lazy("The payment was confirmed."),
    on_list=True,
    form_for_many=ConfirmManyForm,
    done_for_many=lambda payments: told_of(
        payments,
        ngettext(
            "%(number)d payment was confirmed: %(sum)s.",
            "%(number)d payments were confirmed: %(sum)s.",
            len(payments),
        ),
    ),
)
REJECT = StaffAction[Payment](
    name="reject",
    title=pgettext_lazy("payment", "Reject"),
    icon="cancel",
    is_danger=True,
    explanation=gettext_lazy(
        "The money will not arrive. This payment will not give anyone access."
    ),
    allows=can_confirm,
    fits=lambda payment: (
        payment.method != PaymentMethod.STRIPE and payment.can_move(PaymentStatus.FAILED)
    ),
    form=RejectForm,
    run=lambda payment, by, answers: staff.reject_payment(payment=payment, by=by, **answers),
    takes_seen=True,
    done=gettext_lazy("The payment was rejected."),
    on_list=True,
    done_for_many=lambda payments: told_of(
        payments,
        ngettext(
            "%(number)d payment was rejected: %(sum)s.",
            "%(number)d payments were rejected: %(sum)s.",
            len(payments),
        ),
    ),
)
REFUND = StaffAction[Payment](
    name="refund",
    title=gettext_lazy("Refund"),
    icon="undo",
    is_danger=True,
    explanation=lambda payment: (
        _("Stripe will send the money back to the buyer.")
        if payment.payment_intent_id
        else _("Records that the money was given back manually.")
    ),
    allows=can_refund,
    fits=lambda payment: (
        (payment.status == PaymentStatus.PAID or payment.awaits_decision)
        and not payment.disputes.barring_refunds().exists()
    ),
    form=RefundForm,
    run=_refund,
    asks_code=True,
    takes_seen=True,
    typed=lambda payment: payment.payer.email if payment.payment_intent_id else "",
)
ACCEPT_AMOUNT = StaffAction[Payment](
    name="accept_amount",
    title=gettext_lazy("Accept the sum"),
    icon="price_check",
    variant=ActionVariant.PRIMARY,
    explanation=lambda payment: (
        _("%(received)s came where %(asked)s was asked for. The learner will get access.")
        % {
            "received": payment.shown_received,
            "asked": payment.shown_amount,
        }
    ),
    allows=can_confirm,
    fits=lambda payment: payment.awaits_decision and payment.has_target,
    form=TakenForm,
    run=lambda payment, by, answers: staff.accept_amount(payment=payment, by=by, **answers),
    takes_seen=True,
    done=gettext_lazy("The sum was accepted."),
)
UNDO_CONFIRMATION = StaffAction[Payment](
    name="undo_confirmation",
    title=gettext_lazy("Undo the confirmation"),
    icon="history",
    is_danger=True,
    explanation=gettext_lazy(
        "It was confirmed by mistake: the payment waits for its money again, and the access ends."
    ),
    allows=can_confirm,
    fits=lambda payment: (
        payment.method != PaymentMethod.STRIPE
        and payment.status == PaymentStatus.PAID
        and payment.has_target
        and not payment.refunds.promised().exists()
        and not payment.disputes.barring_refunds().exists()
    ),
    form=UndoForm,
    run=lambda payment, by, answers: staff.undo_confirmation(payment=payment, by=by, **answers),
    takes_seen=True,
    done=gettext_lazy("The payment waits for its money again."),
    on_list=True,
    done_for_many=lambda payments: told_of(
        payments,
        ngettext(
            "%(number)d payment waits for its money again: %(sum)s.",
            "%(number)d payments wait for their money again: %(sum)s.",
            len(payments),
        ),
    ),
    under_more=True,
)
GRANT_ACCESS = StaffAction[Payment](
    name="grant_access",
    title=gettext_lazy("Grant access"),
    icon="key",
    explanation=gettext_lazy(
        "The payer will have access whatever happens to this payment, until the access is revoked."
    ),
    allows=lambda user: can_see_payments(user) and can_grant_access(user),
    fits=lambda payment: payment.has_target and not staff.has_access(payment),
    form=GrantForm,
    run=lambda payment, by, answers: staff.give_access(payment=payment, by=by, **answers),
    done=gettext_lazy("Access was granted."),
)

WRITE = StaffAction[Payment](
    name="write",
    title=gettext_lazy("Write to the payer"),
    icon="edit_note",
    explanation=gettext_lazy(
        "They will get an email from the school. It stays in the timeline of this payment."
    ),
    allows=can_see_payments,
    allows_with=can_write_about,
    fits=lambda payment: payment.payer.blocked_reason != BlockReason.ERASED,
    form=WriteForm,
    noted=lambda answers: str(answers["subject"]),
    preview=lambda payment, by, answers: messages.preview(
        recipient=payment.payer, by=by, subject=answers["subject"], text=answers["text"]
    ),
    run=lambda payment, by, answers: messages.send_message(
        recipient=payment.payer, by=by, reference=payment.reference, **answers
    ),
    done=gettext_lazy("The message was sent."),
)

PAYMENT_ACTIONS = (
    ASK_STRIPE, CONFIRM, REJECT, ACCEPT_AMOUNT, REFUND, GRANT_ACCESS, WRITE,
    UNDO_CONFIRMATION,
)  # fmt: skip

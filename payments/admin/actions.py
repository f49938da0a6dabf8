"""What staff do with a payment."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.enums import ActionVariant

from lms.permissions import can_grant_access
from payments.models import MoveSource, Payment, PaymentMethod, PaymentStatus
from payments.models.payment import OPEN_STATUSES
from payments.permissions import can_confirm, can_refund, can_see_payments
from payments.services import checkout, staff
from project.common.admin.actions import Answers, ReasonForm, StaffAction

if TYPE_CHECKING:
    from people.models import User


def _ask_stripe(payment: Payment, _by: "User", _answers: Answers) -> str:
    checkout.ask_stripe(payment, source=MoveSource.STAFF)
    payment.refresh_from_db(fields=["status"])
    text = _("Stripe was asked. The payment is: %(status)s.")
    return text % {"status": payment.get_status_display()}


ASK_STRIPE = StaffAction[Payment](
    name="ask_stripe",
    title=gettext_lazy("Ask Stripe now"),
    icon="question_answer",
    explanation=gettext_lazy(
        "What Stripe says of this payment now is taken down, as if its event had come."
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
    explanation=gettext_lazy("The money came: the learner has access at once."),
    allows=can_confirm,
    fits=lambda payment: (
        payment.method != PaymentMethod.STRIPE and payment.can_move(PaymentStatus.PAID)
    ),
    form=ReasonForm,
    run=lambda payment, by, answers: staff.confirm_payment(payment=payment, by=by, **answers),
    done=gettext_lazy("The payment was confirmed."),
)
REJECT = StaffAction[Payment](
    name="reject",
    title=pgettext_lazy("payment", "Reject"),
    icon="cancel",
    is_danger=True,
    explanation=gettext_lazy("The money will not come. Nobody gets access by this payment."),
    allows=can_confirm,
    fits=lambda payment: (
        payment.method != PaymentMethod.STRIPE and payment.can_move(PaymentStatus.FAILED)
    ),
    form=ReasonForm,
    run=lambda payment, by, answers: staff.reject_payment(payment=payment, by=by, **answers),
    done=gettext_lazy("The payment was rejected."),
)
REFUND = StaffAction[Payment](
    name="refund",
    title=gettext_lazy("Refund"),
    icon="undo",
    is_danger=True,
    explanation=lambda payment: (
        _("Stripe gives the whole amount back, and the access that it paid for ends.")
        if payment.payment_intent_id
        else _(
            "Note that the whole amount was given back by hand. The access that it paid for ends."
        )
    ),
    allows=can_refund,
    fits=lambda payment: payment.can_move(PaymentStatus.REFUNDED),
    form=ReasonForm,
    run=lambda payment, by, answers: staff.refund_payment(payment=payment, by=by, **answers),
    done=gettext_lazy("The payment was refunded."),
)
GRANT_ACCESS = StaffAction[Payment](
    name="grant_access",
    title=gettext_lazy("Grant access"),
    icon="key",
    explanation=gettext_lazy(
        "The payer may learn it whatever becomes of this payment, until the access is revoked."
    ),
    allows=lambda user: can_see_payments(user) and can_grant_access(user),
    fits=lambda payment: not staff.has_access(payment),
    form=ReasonForm,
    run=lambda payment, by, answers: staff.give_access(payment=payment, by=by, **answers),
    done=gettext_lazy("Access was granted."),
)

PAYMENT_ACTIONS = (ASK_STRIPE, CONFIRM, REJECT, REFUND, GRANT_ACCESS)

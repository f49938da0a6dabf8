"""What staff do with a payment: a page that asks, a service that does it, a word of how it went."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from lms.permissions import can_grant_access
from payments.models import MoveSource, Payment, PaymentMethod, PaymentStatus
from payments.models.payment import OPEN_STATUSES
from payments.permissions import can_confirm, can_refund, can_see_payments
from payments.services import checkout, staff
from people.current_user import current_user
from people.models import User
from project.common.admin.confirmation import Question, ReasonForm, ask
from project.common.errors import DomainError
from project.common.money import shown

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from payments.admin.payments import PaymentAdmin


@dataclass(frozen=True, kw_only=True)
class Process:
    """`allows` is about the person, `fits` about the payment; `run` takes payment, person and
    reason. `done` is what is said afterwards."""

    title: "StrOrPromise"
    explain: "Callable[[Payment], StrOrPromise]"
    done: "StrOrPromise"
    allows: "Callable[[User], bool]"
    fits: Callable[[Payment], bool]
    run: "Callable[[Payment, User, str], Any]"
    asks_reason: bool = True
    is_danger: bool = False


def _is_offline(payment: Payment) -> bool:
    return payment.method != PaymentMethod.STRIPE


def _explain_refund(payment: Payment) -> "StrOrPromise":
    if payment.payment_intent_id:
        return _("Stripe gives the whole amount back, and the access that it paid for ends.")
    return _("Note that the whole amount was given back by hand. The access that it paid for ends.")


PROCESSES = {
    "ask_stripe": Process(
        title=gettext_lazy("Ask Stripe now"),
        explain=lambda _payment: _(
            "What Stripe says of this payment now is taken down, as if its event had come."
        ),
        done=gettext_lazy("Stripe was asked. The payment is: %(status)s."),
        allows=can_see_payments,
        fits=lambda payment: bool(payment.session_id) and payment.status in OPEN_STATUSES,
        run=lambda payment, _by, _why: checkout.ask_stripe(payment, source=MoveSource.STAFF),
        asks_reason=False,
    ),
    "confirm": Process(
        title=pgettext_lazy("payment", "Confirm"),
        explain=lambda _payment: _("The money came: the learner has access at once."),
        done=gettext_lazy("The payment was confirmed."),
        allows=can_confirm,
        fits=lambda payment: _is_offline(payment) and payment.can_move(PaymentStatus.PAID),
        run=lambda payment, by, why: staff.confirm_payment(payment=payment, by=by, reason=why),
    ),
    "reject": Process(
        title=pgettext_lazy("payment", "Reject"),
        explain=lambda _payment: _("The money will not come. Nobody gets access by this payment."),
        done=gettext_lazy("The payment was rejected."),
        allows=can_confirm,
        fits=lambda payment: _is_offline(payment) and payment.can_move(PaymentStatus.FAILED),
        run=lambda payment, by, why: staff.reject_payment(payment=payment, by=by, reason=why),
        is_danger=True,
    ),
    "refund": Process(
        title=gettext_lazy("Refund"),
        explain=_explain_refund,
        done=gettext_lazy("The payment was refunded."),
        allows=can_refund,
        fits=lambda payment: payment.can_move(PaymentStatus.REFUNDED),
        run=lambda payment, by, why: staff.refund_payment(payment=payment, by=by, reason=why),
        is_danger=True,
    ),
    "grant_access": Process(
        title=gettext_lazy("Grant access"),
        explain=lambda _payment: _(
            "The payer may learn it whatever becomes of this payment, until the access is revoked."
        ),
        done=gettext_lazy("Access was granted."),
        allows=lambda user: can_see_payments(user) and can_grant_access(user),
        fits=lambda payment: not staff.has_access(payment),
        run=lambda payment, by, why: staff.give_access(payment=payment, by=by, reason=why),
    ),
}


def offered(user: User, payment: Payment) -> set[str]:
    """Names of what this person may do with the payment as it is now."""
    return {
        name
        for name, process in PROCESSES.items()
        if process.allows(user) and process.fits(payment)
    }


def ask_and_run(
    model_admin: "PaymentAdmin", request: HttpRequest, name: str, payment: Payment
) -> HttpResponse:
    """Show the question; do it once it is answered. Runs outside of transactions: some of the
    services speak to Stripe."""
    process = PROCESSES[name]
    if not process.allows(current_user(request)):
        raise PermissionDenied
    page = reverse("admin:payments_payment_change", args=[payment.pk])
    if not process.fits(payment):
        text = _("This can't be done with the payment as it is now.")
        model_admin.message_user(request, text, messages.ERROR)
        return HttpResponseRedirect(page)
    form = ReasonForm(request.POST or None) if process.asks_reason else None
    if request.method == "POST" and (form is None or form.is_valid()):
        _run(model_admin, request, process, payment, form.cleaned_data["reason"] if form else "")
        return HttpResponseRedirect(page)
    question = Question(
        title=process.title,
        explanation=process.explain(payment),
        back=page,
        facts=_facts(payment),
        form=form,
        is_danger=process.is_danger,
    )
    return ask(request, model_admin, question)


def _facts(payment: Payment) -> "list[tuple[StrOrPromise, str]]":
    return [
        (_("Payer"), f"{payment.payer} ({payment.payer.email})"),
        (_("For"), payment.title),
        (_("Amount"), shown(payment.amount, payment.currency)),
        (_("Method"), payment.get_method_display()),
        (_("Status"), payment.get_status_display()),
    ]


def _run(
    model_admin: "PaymentAdmin",
    request: HttpRequest,
    process: Process,
    payment: Payment,
    reason: str,
) -> None:
    try:
        process.run(payment, current_user(request), reason)
    except DomainError as error:
        model_admin.message_user(request, str(error), messages.ERROR)
        return
    title = str(process.title)
    model_admin.log_change(request, payment, f"{title}: {reason}" if reason else title)
    payment.refresh_from_db(fields=["status"])
    text = str(process.done) % {"status": payment.get_status_display()}
    model_admin.message_user(request, text, messages.SUCCESS)

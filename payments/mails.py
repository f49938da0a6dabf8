"""The mails that tell buyers what became of their money, and of the access that it gave, and those to
staff who have to do something about it."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from lms.mails import GIVEN, REVOKED
from payments.models import (
    Dispute,
    MoveSource,
    Payment,
    PaymentMove,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from payments.permissions import can_refund, may_learn, who_may_refund
from people.mails import MESSAGE
from people.models import BlockReason, StaffMessage, User
from project.common.frontend import course_page, payment_page
from project.mail.kinds import Letter, MailKind, Secret, Skip, render
from project.mail.models import Delivery, Mailing, mailing_key

# Their names. The key of the first three is the payment's number, that of the
# fourth the refund's.
ORDERED = "order_placed"
RECEIVED = "payment_received"
FAILED = "payment_failed"
REFUNDED = "payment_refunded"
ACCESS_TAKEN = "access_taken"
# Their key is the number of the step.
REJECTED = "payment_rejected"
REOPENED = "payment_reopened"
# Their key is the number of the payment, the dispute or the refund.
AMOUNT_DIFFERS = "amount_differs"
DISPUTE_OPENED = "dispute_opened"
REFUND_FAILED = "refund_failed"


def mails_about(payment: Payment) -> QuerySet[Delivery]:
    """What buyer and staff were told of the payment, its refunds, its disputes and the access."""
    told = [(kind, payment.pk) for kind in (ORDERED, RECEIVED, FAILED, AMOUNT_DIFFERS)]
    told_of_moves = [mailing_key(RECEIVED, f"move:{move.pk}") for move in payment.moves.all()]
    told += [(kind, move.pk) for move in payment.moves.all() for kind in (REJECTED, REOPENED)]
    refunds = payment.refunds.all()
    told += [(kind, one.pk) for one in refunds for kind in (REFUNDED, REFUND_FAILED)]
    told += [(MESSAGE, message.pk) for message in messages_about(payment)]
    told += [(DISPUTE_OPENED, dispute.pk) for dispute in payment.disputes.all()]
    given = payment.accesses_about().values_list("pk", flat=True)
    told += [(kind, pk) for pk in given for kind in (GIVEN, REVOKED)]
    # Access may be taken more than once: that has no key to be known by.
    taken = Q(kind=ACCESS_TAKEN, subject_id=payment.pk)
    keys = [*told_of_moves, *(mailing_key(*one) for one in told)]
    mailings = Mailing.objects.filter(taken | Q(key__in=keys))
    return Delivery.objects.filter(mailing__in=mailings)


def messages_about(payment: Payment) -> QuerySet[StaffMessage]:
    """What staff wrote to the buyer about the payment."""
    return StaffMessage.objects.filter(reference=payment.reference)


class PaymentMail(MailKind):
    """A mail to the buyer about one payment."""

    urgent = True
    # Who was blocked still hears of their money.
    reaches_blocked: ClassVar[bool] = False
    # Why nobody gets it when `facts` finds nothing to tell.
    outdated: ClassVar[str]

    def facts(self, subject_id: int) -> dict[str, object] | None:
        """What the template needs besides the person, the payment among it; None if it is not true
        any more."""
        raise NotImplementedError(subject_id)

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        facts = self.facts(subject_id or 0)
        return {person.pk: self.letter_to(person, facts) for person in people}

    def letter_to(self, person: User, facts: dict[str, object] | None) -> Letter | Skip:
        if person.blocked_reason == BlockReason.ERASED:
            return Skip(gettext_noop("erased"))
        if not person.is_active and not self.reaches_blocked:
            return Skip(gettext_noop("blocked"))
        if facts is None:
            return Skip(self.outdated)
        context = {"person": person, **facts}
        if not person.is_email_confirmed:  # receipts go there, words of people don't
            context["reason"] = ""
        return render(self.name, person.language, context)


class OrderPlacedMail(PaymentMail):
    """How to pay what was ordered, in cash or by transfer, as the school says it."""

    name = ORDERED
    label = _("how to pay")
    outdated = gettext_noop("not waited for any more")

    def facts(self, subject_id: int) -> dict[str, object] | None:
        payment = _payment(subject_id, PaymentStatus.PENDING)
        if payment is None or not payment.instructions:
            return None
        # There is nothing to learn yet: the page of the order says how it stands, and cancels it.
        return (facts_of(payment) or {}) | {"link": payment_page(payment.pk)}


class PaymentReceivedMail(PaymentMail):
    """What was paid, and that it can be learnt now."""

    name = RECEIVED
    label = _("payment received")
    reaches_unconfirmed = True
    reaches_blocked = True
    outdated = gettext_noop("not paid any more")

    def facts(self, subject_id: int) -> dict[str, object] | None:
        payment = _payment(subject_id, PaymentStatus.PAID)
        # With the money the news may have come that the buyer's bank took it back.
        if payment is None or payment.disputes.taking_access().exists():
            return None
        move = payment.moves.filter(to_status=PaymentStatus.PAID).last()
        return (facts_of(payment) or {}) | {"reason": _told_reason(move)}


class PaymentFailedMail(PaymentMail):
    """A payment that was on its way for days did not come."""

    name = FAILED
    label = _("payment failed")
    outdated = gettext_noop("paid after all")

    def facts(self, subject_id: int) -> dict[str, object] | None:
        return facts_of(_payment(subject_id, PaymentStatus.FAILED))


class PaymentRefundedMail(PaymentMail):
    """How much went back, of all of it or a part."""

    name = REFUNDED
    label = _("payment refunded")
    reaches_unconfirmed = True
    reaches_blocked = True
    outdated = gettext_noop("the refund failed")

    def facts(self, subject_id: int) -> dict[str, object] | None:
        done = Refund.objects.filter(pk=subject_id, status=RefundStatus.SUCCEEDED)
        refund = done.select_related("payment__lesson").first()
        if refund is None:
            return None
        told = {"refund": refund, "reason": _told_reason(refund)}
        return (facts_of(refund.payment) or {}) | told


class AccessTakenMail(PaymentMail):
    """The access that a payment gave has ended, by a refund or a dispute."""

    name = ACCESS_TAKEN
    label = _("access taken")
    outdated = gettext_noop("has access")

    def facts(self, subject_id: int) -> dict[str, object] | None:
        payment = _payment(subject_id, PaymentStatus.PAID, PaymentStatus.REFUNDED)
        if payment is None or (payment.target and may_learn(payment.payer, payment.target)):
            return None
        by_dispute = payment.disputes.taking_access().exists()
        return (facts_of(payment) or {}) | {"by_dispute": by_dispute}


class StaffMoveMail(PaymentMail):
    """Staff moved the payment, and want the buyer to know why. It is true as long as nothing else
    moves it."""

    reaches_blocked = True
    outdated = gettext_noop("the payment has changed again")

    def facts(self, subject_id: int) -> dict[str, object] | None:
        moves = PaymentMove.objects.filter(pk=subject_id, source=MoveSource.STAFF)
        move = moves.select_related("payment__lesson").first()
        if move is None or move.payment.moves.filter(pk__gt=move.pk).exists():
            return None
        return (facts_of(move.payment) or {}) | {"reason": move.reason}


class PaymentRejectedMail(StaffMoveMail):
    """The cash or the transfer will not come, as far as staff know."""

    name = REJECTED
    label = _("payment rejected")


class PaymentReopenedMail(StaffMoveMail):
    """It was confirmed by mistake: it waits for its money again, and the access has ended."""

    name = REOPENED
    label = _("confirmation of a payment undone")


def _told_reason(told: PaymentMove | Refund | None) -> str:
    """What staff wrote, if the buyer is to read it."""
    return told.reason if told and told.is_reason_told else ""


def facts_of(payment: Payment | None) -> dict[str, object] | None:
    if payment is None:
        return None
    course_id = payment.lesson.course_id if payment.lesson else payment.course_id
    return {
        "payment": payment,
        "receipt": Secret(payment.receipt_url or ""),
        "link": course_page(course_id) if course_id else "",
    }


def _payment(payment_id: int, *statuses: PaymentStatus) -> Payment | None:
    found = Payment.objects.filter(pk=payment_id, status__in=statuses)
    return found.select_related("payer", "lesson").first()


class StaffMail(MailKind):
    """What those of the staff who may refund have to look at; sent at once."""

    urgent = True

    def audience(self, subject_id: int) -> tuple[QuerySet[Model], str]:
        return who_may_refund(), "pk"

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        subject = self.find(subject_id or 0)
        return {person.pk: self.letter_to(person, subject) for person in people}

    def find(self, subject_id: int) -> Dispute | Refund | Payment | None:
        """What it is about; None if nobody needs to look at it any more."""
        raise NotImplementedError(subject_id)

    def letter_to(self, person: User, subject: Dispute | Refund | Payment | None) -> Letter | Skip:
        if subject is None:
            return Skip(gettext_noop("dealt with"))
        if not can_refund(person):
            return Skip(gettext_noop("may not refund"))
        payment = subject if isinstance(subject, Payment) else subject.payment
        link = settings.SITE_URL + reverse("admin:payments_payment_change", args=[payment.pk])
        with translation.override(person.language):
            amounts = {"amount": subject.shown_amount, "received": payment.shown_received}
        context = {"person": person, "subject": subject, "payment": payment, "link": link}
        return render(self.name, person.language, context | amounts)


class AmountDiffersMail(StaffMail):
    label = _("another amount came")
    name = AMOUNT_DIFFERS

    def find(self, subject_id: int) -> Payment | None:
        found = Payment.objects.filter(pk=subject_id).first()
        return found if found and found.awaits_decision else None


class DisputeOpenedMail(StaffMail):
    label = _("dispute opened")
    name = DISPUTE_OPENED

    def find(self, subject_id: int) -> Dispute | None:
        return Dispute.objects.open().select_related("payment").filter(pk=subject_id).first()


class RefundFailedMail(StaffMail):
    label = _("refund failed")
    name = REFUND_FAILED

    def find(self, subject_id: int) -> Refund | None:
        failed = Refund.objects.failed_for_good().select_related("payment")
        return failed.filter(pk=subject_id).first()

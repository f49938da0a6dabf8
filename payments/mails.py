"""The mail that says that money has come, and those to staff who have to do something about it."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from django.conf import settings
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from payments.models import Dispute, Payment, PaymentStatus, Refund
from payments.permissions import can_refund, who_may_refund
from people.models import User
from project.common.money import shown
from project.mail.kinds import Letter, MailKind, Skip, render

# Its name in settings.MAIL_KINDS; the key of the mail is the payment's number.
RECEIVED = "payment_received"
# Their key is the number of the dispute or the refund.
DISPUTE_OPENED = "dispute_opened"
REFUND_FAILED = "refund_failed"


class PaymentReceivedMail(MailKind):
    """What was paid, and that it can be learnt now."""

    label = _("payment received")
    urgent = True

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        payment = Payment.objects.filter(pk=subject_id or 0, status=PaymentStatus.PAID).first()
        return {person.pk: letter_to(person, payment) for person in people}


def school() -> dict[str, str]:
    """Who sells, as receipts and mails say it."""
    return {
        "name": settings.SCHOOL_NAME,
        "address": settings.SCHOOL_ADDRESS,
        "tax_id": settings.SCHOOL_TAX_ID,
        "email": settings.SCHOOL_EMAIL,
    }


def letter_to(person: User, payment: Payment | None) -> Letter | Skip:
    if payment is None:
        return Skip(gettext_noop("not paid any more"))
    if not person.is_active:
        return Skip(gettext_noop("blocked"))
    return render(RECEIVED, person.language, {"person": person, "payment": payment})


class StaffMail(MailKind):
    """What those of the staff who may refund have to look at; sent at once."""

    urgent = True
    name: ClassVar[str]

    def audience(self, subject_id: int) -> tuple[QuerySet[Model], str]:
        return who_may_refund(), "pk"

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        subject = self.find(subject_id or 0)
        return {person.pk: self.letter_to(person, subject) for person in people}

    def find(self, subject_id: int) -> Dispute | Refund | None:
        """What it is about; None if nobody needs to look at it any more."""
        raise NotImplementedError(subject_id)

    def letter_to(self, person: User, subject: Dispute | Refund | None) -> Letter | Skip:
        if subject is None:
            return Skip(gettext_noop("dealt with"))
        if not can_refund(person):
            return Skip(gettext_noop("may not refund"))
        payment = subject.payment
        link = settings.SITE_URL + reverse("admin:payments_payment_change", args=[payment.pk])
        with translation.override(person.language):
            amount = shown(subject.amount, payment.currency)
        context = {"person": person, "subject": subject, "payment": payment}
        return render(self.name, person.language, {**context, "amount": amount, "link": link})


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

"""The mail that says that money has come."""

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from payments.models import Payment, PaymentStatus
from people.models import User
from project.mail.kinds import Letter, MailKind, Skip, render

# Its name in settings.MAIL_KINDS; the key of the mail is the payment's number.
RECEIVED = "payment_received"


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

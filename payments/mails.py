"""The mail that says that money has come."""

from collections.abc import Iterable, Mapping

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


def letter_to(person: User, payment: Payment | None) -> Letter | Skip:
    if payment is None:
        return Skip(gettext_noop("not paid any more"))
    if not person.is_active:
        return Skip(gettext_noop("blocked"))
    return render(RECEIVED, person.language, {"person": person, "payment": payment})

"""What is kept of mails, for tests."""

import factory
from factory.django import DjangoModelFactory

from project.mail.models import KeptLetter, Mailing


class MailingFactory(DjangoModelFactory[Mailing]):
    class Meta:
        model = Mailing

    kind = "password_reset"
    key = factory.Sequence(lambda number: f"password_reset:test{number}")


class KeptLetterFactory(DjangoModelFactory[KeptLetter]):
    class Meta:
        model = KeptLetter

    mailing = factory.SubFactory(MailingFactory)
    digest = factory.Sequence(lambda number: f"{number:064}")
    sender = "Parta <noreply@localhost>"
    subject = "Bread"
    text = "Text"
    html = "<p>Text</p>"
    unsubscribes = False

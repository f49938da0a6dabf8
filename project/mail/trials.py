"""A mail that an administrator sends past the outbox, at once, to hear what the mail server says."""

import logging
import smtplib
import ssl
import uuid
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from django.core.mail import mailers
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.utils.translation import gettext as _

from project.common.errors import Conflict
from project.common.logging import without_addresses
from project.mail.headers import addressed
from project.mail.kinds import render
from project.mail.limits import count_mail
from project.mail.mime import Message, build, prepare, sender_address, sender_domain
from project.mail.sending import mail_server, note_answer
from project.mail.services import start_delivery

if TYPE_CHECKING:
    from people.models import User

logger = logging.getLogger(__name__)

# A page waits for it: for all that is said, and for each answer.
SECONDS = 12.0
ANSWER_SECONDS = 8.0


class NotTaken(Conflict):
    """The mail server did not take a test mail; the message has its words."""


def send_trial(by: "User", address: str) -> str:
    """Send a mail over the configured server and return its answer. What waited for the server goes out
    once it takes one. Raises NotTaken, EnoughForToday."""
    count_mail(address, "trial", is_trusted=True)
    letter = render("trial", by.language, {"person": by})
    message = prepare(letter, address, f"<{uuid.uuid4()}@{sender_domain()}>")
    backend: Any = mailers.default
    if not isinstance(backend, SMTPBackend):
        backend.send_messages([build(message)])
        return _("The email was handed over. Emails don't go to a mail server here: see EMAIL_URL.")
    backend.timeout = ANSWER_SECONDS
    conversation = Conversation(backend, message)
    # Names that are looked up, and servers that answer bit by bit, know no time limit.
    Thread(target=conversation.run, daemon=True).start()
    conversation.over.wait(SECONDS)
    try:
        said = conversation.outcome()
    except NotTaken as refusal:
        logger.warning("A test mail was not taken: %s", without_addresses(str(refusal)))
        raise
    mail_server()
    note_answer()
    start_delivery()
    return said


class Conversation:
    """What is said to the server, until it refuses something."""

    def __init__(self, backend: SMTPBackend, message: Message) -> None:
        self.backend = backend
        self.message = message
        self.answer: tuple[int, bytes | str] | None = None
        self.error: Exception | None = None
        self.has_message = False
        self.over = Event()

    def run(self) -> None:
        try:
            self.backend.open()
            smtp: Any = self.backend.connection
            smtp.ehlo_or_helo_if_needed()
            self.answer = smtp.mail(sender_address())
            if self.answer[0] == 250:
                self.answer = smtp.docmd("RCPT", f"TO:<{addressed(self.message.address)}>")
            if self.answer[0] in {250, 251}:
                self.has_message = True
                self.answer = smtp.data(self.message.content)
        except smtplib.SMTPResponseException as error:
            self.answer, self.error = (error.smtp_code, error.smtp_error), error
        except (OSError, ValueError) as error:
            self.answer, self.error = None, error
        finally:
            self.over.set()
            self._leave()  # nobody waits for the goodbye

    def _leave(self) -> None:
        try:
            self.backend.close()
        except OSError:
            self.backend.connection = None

    def outcome(self) -> str:
        """What came of it, with the server's words. Raises NotTaken."""
        where = {"host": f"{self.backend.host}:{self.backend.port}"}
        if not self.over.is_set() or _is_late(self.error):
            late = _("The mail server %(host)s did not answer in time.") % where
            perhaps = _("It has the email and may deliver it.") if self.has_message else ""
            raise NotTaken(f"{late} {perhaps}".strip())
        words = self._words()
        if self.answer and self.answer[0] == 250 and self.error is None:
            return _("The mail server took the email: %(answer)s") % {"answer": words}
        raise NotTaken(f"{self._what_went_wrong() % where} {words}")

    def _what_went_wrong(self) -> str:
        match self.error:
            case smtplib.SMTPAuthenticationError():
                text = _("The mail server %(host)s refused the user name or the password:")
            case ssl.SSLCertVerificationError():
                text = _("The certificate of the mail server %(host)s is not trusted:")
            case ssl.SSLError() | smtplib.SMTPNotSupportedError():
                text = _("No encrypted connection to the mail server %(host)s:")
            case _ if self.answer:
                text = _("The mail server %(host)s refused the email:")
            case smtplib.SMTPServerDisconnected():
                text = _("The mail server %(host)s ended the connection:")
            case _:
                text = _("No connection to the mail server %(host)s:")
        return text

    def _words(self) -> str:
        """The answer as it came, but for the password, which a server may repeat."""
        if self.answer:
            code, said = self.answer
            text = said.decode(errors="replace") if isinstance(said, bytes) else said
            text = f"{code} {text}"
        else:
            text = str(self.error or "")
        password = self.backend.password
        return " ".join((text.replace(password, "•••") if password else text).split())[:500]


def _is_late(error: Exception | None) -> bool:
    """smtplib says that the connection was closed, and this as the cause."""
    is_closed = isinstance(error, smtplib.SMTPServerDisconnected)
    return isinstance(error.__context__ if is_closed and error else error, TimeoutError)

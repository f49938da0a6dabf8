"""One connection to the mail server, and what its answers mean for a mail."""

import re
import select
import smtplib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from django.core.mail import mailers
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend

from project.mail.headers import addressed
from project.mail.mime import Message, build, compose, sender_address, sender_domain

Callback = Callable[[], object] | None

# A server that looks into messages before it takes them has RFC 5321's ten minutes for its answer
# (4.5.3.2.6). Other mails are not kept waiting for longer than the first of these.
PROMPT_SECONDS = 5.0
ANSWER_SECONDS = 600.0
# Enhanced status codes (RFC 3463, RFC 7505) that say there is no such mailbox, no such domain, or none
# that takes mail. Others are about the sender (1.7, 1.8), a full mailbox (2.2), the size (3.4), the way
# there (4.x) or somebody's policy (7.x): the mail is refused, and the address may be fine.
NO_MAILBOX = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
ENHANCED = re.compile(r"\W*5\.(\d{1,3}\.\d{1,3})\b")
# Of servers without such codes. "Mailbox unavailable" is what they say of policies, too.
PLAIN_CODES = frozenset({550, 551, 553})
IN_WORDS = re.compile(
    r"\b(no such|unknown|invalid|disabled) (user|mailbox|recipient|address|account|domain)\b"
    r"|\b(user|mailbox|recipient|address|account|domain)( is)?"
    r" (unknown|invalid|disabled|not found|does not exist|doesn.t exist)\b",
    re.IGNORECASE,
)


class ServerUnavailable(Exception):
    """The mail server takes nothing from us at present, whoever it is for."""


class AddressRefused(Exception):
    """The mail server will never take this mail for this person."""


class NoMailbox(AddressRefused):
    """The mail server says that nobody has this address."""


class AddressPostponed(Exception):
    """The mail server does not take this mail for this person now."""


class AnswerLost(Exception):
    """The mail server got the whole message, and we did not hear whether it took it."""


class AnswerLate(Exception):
    """The mail server got the whole message and has not answered yet. `wait` returns once it took
    the message, and raises like `Transport.send` otherwise; it may take ANSWER_SECONDS."""

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__()
        self.wait = wait


class Transport:
    """Sends messages over one connection, opened at the first and closed at the end. `losses` counts
    the messages in a row with which the connection was lost."""

    def __init__(self) -> None:
        self.backend: Any = mailers.default
        self.speaks_smtp = isinstance(self.backend, SMTPBackend)
        self.sender = sender_address()
        self.domain = sender_domain()
        self.is_open = False
        self.losses = 0

    def send(
        self,
        message: Message,
        *,
        before: Callback = None,
        meanwhile: Callback = None,
    ) -> None:
        """Send one mail. `before` is called once, before the message goes out: what it raises stops
        it. `meanwhile` is called at most once, while the server takes the message.

        Raises ServerUnavailable, AddressRefused, AddressPostponed, AnswerLost or AnswerLate. The
        connection waits for a late answer alone; the next mail goes over another one.
        """
        self.open()
        try:
            if self.speaks_smtp:
                self._converse(message, before, meanwhile)
            else:
                if before:
                    before()
                self.backend.send_messages([build(message)])
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            self._judge(code, answer, error)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPHeloError) as error:
            # It is us whom the server does not want: whoever the mail is for makes no difference.
            self.close()
            raise ServerUnavailable(_words(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPResponseException as error:
            self._judge(error.smtp_code, error.smtp_error, error)
        except ValueError as error:
            raise AddressRefused(str(error)) from error
        except OSError as error:  # smtplib's own errors are among them
            # Once may be the mail's fault; twice in a row is the server's.
            self.close()
            self.losses += 1
            words = _words(0, str(error) or type(error).__name__)
            if self.losses > 1:
                raise ServerUnavailable(words) from error
            raise AddressPostponed(words) from error
        self.losses = 0

    def open(self) -> None:
        """Raises ServerUnavailable."""
        if self.is_open:
            return
        try:
            self.backend.open()
            if self.speaks_smtp:
                self.backend.connection.ehlo_or_helo_if_needed()
        except OSError as error:
            self.backend.connection = None
            raise ServerUnavailable(_words(0, str(error) or type(error).__name__)) from error
        self.is_open = True

    def close(self) -> None:
        """Say goodbye; a server that has gone already needs none."""
        self.is_open = False
        try:
            self.backend.close()
        except OSError:
            self.backend.connection = None

    def _converse(self, message: Message, before: Callback, meanwhile: Callback) -> None:
        """Say from whom and for whom, and hand the message over when the server wants it. The
        commands go out at once where it knows PIPELINING (RFC 2920): a far server is waited for
        once, not thrice."""
        smtp, address, content = self.backend.connection, message.address, message.content
        if content is None:
            content = compose(message)
        size = f" size={len(content)}" if smtp.has_extn("size") else ""
        sender, recipient = f"FROM:<{self.sender}>{size}", f"TO:<{addressed(address)}>"
        at_once = smtp.has_extn("pipelining")
        smtp.send(f"MAIL {sender}\r\n" + (f"RCPT {recipient}\r\nDATA\r\n" if at_once else ""))
        self._call(before)
        code, words = smtp.getreply()
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, words, self.sender)
        answer = smtp.getreply() if at_once else smtp.docmd("RCPT", recipient)
        if answer[0] not in {250, 251}:
            if at_once and answer[0] != 421 and smtp.getreply()[0] == 354:
                smtp.docmd(".")  # the server waits for a message to nobody
            raise smtplib.SMTPRecipientsRefused({address: answer})
        answer = smtp.getreply() if at_once else smtp.docmd("DATA")
        if answer[0] != 354:
            raise smtplib.SMTPDataError(*answer)
        smtp.send(content.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        self._call(meanwhile)
        answers = select.poll()
        answers.register(smtp.sock, select.POLLIN)
        if not answers.poll(PROMPT_SECONDS * 1000):
            self.is_open, self.backend.connection = False, None
            raise AnswerLate(partial(_wait, smtp))
        try:
            answer = smtp.getreply()
        except smtplib.SMTPServerDisconnected as error:
            self.close()
            self.losses += 1
            raise AnswerLost(_words(0, str(error))) from error
        if answer[0] != 250:
            raise smtplib.SMTPDataError(*answer)

    def _call(self, callback: Callback) -> None:
        """If it fails, leave without a word, which the server would take for part of the message."""
        try:
            if callback:
                callback()
        except BaseException:
            self.is_open = False
            self.backend.connection.close()
            self.backend.connection = None
            raise

    def _judge(self, code: int, answer: bytes | str, error: Exception) -> None:
        """What an answer means for the mail, which the server is to forget."""
        if code == 421:  # "closing the channel" may answer any command, RFC 5321
            self.close()
            raise ServerUnavailable(_words(code, answer)) from error
        try:
            self.backend.connection.rset()
        except OSError:
            self.close()
        raise _not_taken(code, answer) from error


def _wait(smtp: smtplib.SMTP) -> None:
    """The end of a conversation whose answer was late: `AnswerLate.wait`."""
    try:
        if smtp.sock is not None:
            smtp.sock.settimeout(ANSWER_SECONDS)
        code, answer = smtp.getreply()
    except smtplib.SMTPServerDisconnected as error:
        raise AnswerLost(_words(0, str(error))) from error
    with suppress(OSError):
        smtp.quit()
    if code != 250:
        raise _not_taken(code, answer)


def _not_taken(code: int, answer: bytes | str) -> Exception:
    words = _words(code, answer)
    if code < 500:
        return AddressPostponed(words)
    return (NoMailbox if speaks_of_mailbox(code, words) else AddressRefused)(words)


def speaks_of_mailbox(code: int, words: str) -> bool:
    """Say whether a refusal means that nobody has the address; all others leave it in peace."""
    said = words.removeprefix(str(code))
    if enhanced := ENHANCED.match(said):
        return enhanced[1] in NO_MAILBOX
    return code in PLAIN_CODES and IN_WORDS.search(said) is not None


def _words(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return " ".join(f"{code or ''} {text}".split())[:500]

"""One connection to the mail server, and what its answers mean for a mail."""

import smtplib
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import mailers
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend

from project.mail.mime import Message, build

Callback = Callable[[], object] | None


class ServerUnavailable(Exception):
    """The mail server takes nothing from us at present, whoever it is for."""


class AddressRefused(Exception):
    """The mail server will never take this mail for this person."""


class AddressPostponed(Exception):
    """The mail server does not take this mail for this person now, or we did not hear its answer."""


class Transport:
    """Sends messages over one connection, opened at the first and closed at the end."""

    def __init__(self) -> None:
        self.backend: Any = mailers.default
        self.speaks_smtp = isinstance(self.backend, SMTPBackend)
        self.sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
        self.domain = self.sender.rpartition("@")[2] or "localhost"
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

        Raises ServerUnavailable, AddressRefused or AddressPostponed.
        """
        self.open()
        try:
            if message.content is None or not self.speaks_smtp:
                if before:
                    before()
                self.backend.send_messages([build(message)])
            else:
                self._converse(message, message.content, before, meanwhile)
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
            # Whether the server took the mail is not known. Once may be the mail's fault; twice in
            # a row is the server's.
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

    def _converse(
        self, message: Message, content: bytes, before: Callback, meanwhile: Callback
    ) -> None:
        """Say from whom and for whom, and hand the message over when the server wants it. The
        commands go out at once where it knows PIPELINING (RFC 2920): a far server is waited for
        once, not thrice."""
        smtp = self.backend.connection
        size = f" size={len(content)}" if smtp.has_extn("size") else ""
        sender, recipient = f"FROM:<{self.sender}>{size}", f"TO:<{message.address}>"
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
            raise smtplib.SMTPRecipientsRefused({message.address: answer})
        answer = smtp.getreply() if at_once else smtp.docmd("DATA")
        if answer[0] != 354:
            raise smtplib.SMTPDataError(*answer)
        smtp.send(content.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        self._call(meanwhile)
        answer = smtp.getreply()
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
        words = _words(code, answer)
        if code == 421:  # "closing the channel" may answer any command, RFC 5321
            self.close()
            raise ServerUnavailable(words) from error
        try:
            self.backend.connection.rset()
        except OSError:
            self.close()
        if code >= 500:
            raise AddressRefused(words) from error
        raise AddressPostponed(words) from error


def _words(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return " ".join(f"{code or ''} {text}".split())[:500]

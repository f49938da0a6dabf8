"""One connection to the mail server, and what its answers mean for a mail."""

import smtplib
import uuid
from base64 import encodebytes
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, mailers
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend

from project.mail.kinds import UNSUBSCRIBE_MARK, Letter

# Moulds kept at once: languages × mailings that are sent side by side, with room to spare.
MOULDS = 16
RECIPIENT_MARK = "recipient-0123456789abcdef@recipient.invalid"
MESSAGE_ID_MARK = "<message-0123456789abcdef@message.invalid>"
DATE_MARK = "Thu, 01 Jan 1970 00:00:00 +0000"
TEXT_MARK = "text-0123456789abcdef"
HTML_MARK = "html-0123456789abcdef"
# The body with the header that says how it is encoded, which follows from its letters.
TEXT_PART = f"<{TEXT_MARK}>".encode()
HTML_PART = f"<{HTML_MARK}>".encode()
ENCODING = b"Content-Transfer-Encoding: 7bit"
LONGEST_LINE = 900  # bytes; RFC 5322 allows 998
# In a header field of RFC 5322 without quotation, and in an SMTP command: most addresses.
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@-_+")


class ServerUnavailable(Exception):
    """The mail server takes nothing from us at present, whoever it is for."""


class AddressRefused(Exception):
    """The mail server will never take this mail for this person."""


class AddressPostponed(Exception):
    """The mail server does not take this mail for this person now, or we did not hear its answer."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter, the address it goes to, and the Message-ID by which a repeat is recognised."""

    letter: Letter
    address: str
    message_id: str


class Transport:
    """Sends envelopes over one connection, opened at the first and closed at the end.

    `send` raises ServerUnavailable, AddressRefused or AddressPostponed.
    """

    def __init__(self) -> None:
        self.backend: Any = mailers.default
        self.sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
        self.domain = self.sender.rpartition("@")[2] or "localhost"
        self.is_open = False
        self.losses = 0
        self.moulds: OrderedDict[tuple[str, bool], bytes | None] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def send(self, envelope: Envelope) -> None:
        self._open()
        try:
            self._hand_over(envelope)
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            self._judge(code, answer, error)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPHeloError) as error:
            # It is us whom the server does not want: whoever the mail is for makes no difference.
            self._close()
            raise ServerUnavailable(_words(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPResponseException as error:
            self._judge(error.smtp_code, error.smtp_error, error)
        except ValueError as error:
            raise AddressRefused(str(error)) from error
        except OSError as error:  # smtplib's own errors are among them
            self._lost(error)
        self.losses = 0

    def _open(self) -> None:
        if self.is_open:
            return
        try:
            self.backend.open()
        except OSError as error:
            self.backend.connection = None
            raise ServerUnavailable(_words(0, str(error) or type(error).__name__)) from error
        self.is_open = True

    def _close(self) -> None:
        """Say goodbye; a server that has gone already needs none."""
        self.is_open = False
        try:
            self.backend.close()
        except OSError:
            self.backend.connection = None

    def _judge(self, code: int, answer: bytes | str, error: Exception) -> None:
        words = _words(code, answer)
        if code == 421:  # "closing the channel" may answer any command, RFC 5321
            self._close()
            raise ServerUnavailable(words) from error
        if code >= 500:
            raise AddressRefused(words) from error
        raise AddressPostponed(words) from error

    def _lost(self, error: OSError) -> None:
        """The connection broke: whether the server took the mail is not known. Once may be the
        mail's fault; twice in a row is the server's."""
        self._close()
        self.losses += 1
        words = _words(0, str(error) or type(error).__name__)
        if self.losses > 1:
            raise ServerUnavailable(words) from error
        raise AddressPostponed(words) from error

    def _hand_over(self, envelope: Envelope) -> None:
        content = self.content_of(envelope)
        if content is None or not isinstance(self.backend, SMTPBackend):
            self.backend.send_messages([_message(envelope)])
            return
        smtp: Any = self.backend.connection
        smtp.sendmail(self.sender, [envelope.address], content)

    def content_of(self, envelope: Envelope) -> bytes | None:
        """The message as it goes over the wire; None if only Django can build it."""
        mould = self._mould(envelope.letter)
        if mould is None or not PLAIN.issuperset(envelope.address):
            return None
        for mark, value in _personal(envelope).items():
            mould = mould.replace(mark, value)
        return mould

    def _mould(self, letter: Letter) -> bytes | None:
        """The message around the letter as bytes, built by Django once, with marks for what is
        personal; None if a mark did not survive. Building each message anew costs more than
        sending it."""
        key = (letter.subject, bool(letter.unsubscribe_url))
        if key not in self.moulds:
            self.moulds[key] = _cast(letter)
            while len(self.moulds) > MOULDS:
                self.moulds.popitem(last=False)
        return self.moulds[key]


def _cast(letter: Letter) -> bytes | None:
    link = UNSUBSCRIBE_MARK if letter.unsubscribe_url else ""
    marked = Letter(letter.subject, TEXT_MARK, HTML_MARK, link)
    message = _message(Envelope(marked, RECIPIENT_MARK, MESSAGE_ID_MARK), DATE_MARK)
    content = message.message(policy=SMTP).as_bytes()
    marks = [TEXT_PART, HTML_PART, RECIPIENT_MARK.encode(), MESSAGE_ID_MARK.encode()]
    marks += [DATE_MARK.encode()] + [link.encode()] * bool(link)
    content = _with_bodies_last(content)
    return content if all(content.count(mark) == 1 for mark in marks) else None


def _with_bodies_last(content: bytes) -> bytes:
    """Let each body's mark take its encoding along, which depends on the letters in the body."""
    for mark in (TEXT_MARK, HTML_MARK):
        head, _found, rest = content.partition(mark.encode())
        before, _found, headers = head.rpartition(ENCODING)
        others = headers.strip()
        content = before + (others + b"\r\n" if others else b"")
        content += b"<" + mark.encode() + b">" + rest
    return content


def _part(body: str) -> bytes:
    """A body with the header of its encoding: as it is if it is plain, or in base64."""
    lines = body.splitlines()
    if body.isascii() and all(len(line) <= LONGEST_LINE for line in lines):
        return b"Content-Transfer-Encoding: 7bit\r\n\r\n" + "\r\n".join(lines).encode()
    encoded = encodebytes("\r\n".join(lines).encode()).replace(b"\n", b"\r\n")
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded.rstrip()


def _personal(envelope: Envelope) -> dict[bytes, bytes]:
    letter = envelope.letter
    text, html = (
        body.replace(UNSUBSCRIBE_MARK, letter.unsubscribe_url)
        for body in (letter.text, letter.html)
    )
    return {
        RECIPIENT_MARK.encode(): envelope.address.encode(),
        MESSAGE_ID_MARK.encode(): envelope.message_id.encode(),
        DATE_MARK.encode(): _now().encode(),
        UNSUBSCRIBE_MARK.encode(): letter.unsubscribe_url.encode(),
        TEXT_PART: _part(text),
        HTML_PART: _part(html),
    }


def _now() -> str:
    return format_datetime(datetime.now(UTC))


def _message(envelope: Envelope, date: str = "") -> EmailMultiAlternatives:
    letter = envelope.letter
    headers = {
        "Message-ID": envelope.message_id,
        "Date": date or _now(),
        "Auto-Submitted": "auto-generated",
    }
    if letter.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    text, html = (
        body.replace(UNSUBSCRIBE_MARK, letter.unsubscribe_url)
        for body in (letter.text, letter.html)
    )
    message = EmailMultiAlternatives(letter.subject, text, to=[envelope.address], headers=headers)
    message.attach_alternative(html, "text/html")
    return message


def _words(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return " ".join(f"{code or ''} {text}".split())[:500]


def message_id(delivery_id: int, created_at: datetime, domain: str) -> str:
    """The same for each try of a delivery, and no other delivery's, in any database."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{domain}/{delivery_id}/{created_at.isoformat()}")
    return f"<{name}@{domain}>"

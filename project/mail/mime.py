"""The bytes of a message, put together of parts of which each has its place: nothing is looked for in
what people wrote, but marks that nobody can know.

The headers and bodies that a letter has for all its recipients are made once. To build each message
anew costs more than to send it.
"""

import re
import secrets
import time
import uuid
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from project.common.mailboxes import for_sending
from project.common.texts import one_line
from project.mail.headers import addressed, mailbox, unstructured, uri
from project.mail.kinds import Letter
from project.school.current import current_school

# Kept at once: languages × mailings that are sent side by side, with room to spare.
FRAMES = 16
LONGEST_LINE = 700  # bytes; RFC 5322 allows 998, and a link may be longer than its mark
BASE64_LINE = 76
NEWLINE = re.compile("\r\n|\r|\n")
PLAIN = re.compile("[\t\r\n -~]*")
# Marks, and what takes their place.
Links = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """A letter, the address it goes to, the Message-ID by which a repeat is recognised, and what
    goes over the wire; without `content` that can't be made."""

    letter: Letter
    address: str
    message_id: str
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What is the same in all messages with a letter."""

    sender_and_subject: bytes
    structure: bytes
    boundary: bytes
    text: "Body"
    html: "Body"


@dataclass(frozen=True, slots=True)
class Body:
    content: bytes
    # As it is; or in base64, because a line is long or some of its characters are not ASCII.
    is_plain: bool

    def encoded(self, links: Links) -> bytes:
        """With the header of its encoding, and the recipient's own links in the place of their marks."""
        content = self.content
        for mark, address in links:
            content = content.replace(mark, address)
        if self.is_plain:
            return b"Content-Transfer-Encoding: 7bit\r\n\r\n" + content
        encoded = b64encode(content)
        starts = range(0, len(encoded), BASE64_LINE)
        wrapped = b"\r\n".join([encoded[start : start + BASE64_LINE] for start in starts])
        return b"Content-Transfer-Encoding: base64\r\n\r\n" + wrapped + b"\r\n"


def prepare(letter: Letter, address: str, message_id: str) -> Message:
    """The message with its content, if that can be made."""
    message = Message(letter, for_sending(address), message_id)
    try:
        return replace(message, content=compose(message))
    except Exception:  # noqa: BLE001 - to compose it again when it is sent says what is wrong
        return message


def compose(message: Message) -> bytes:
    """What goes over the wire. Raises ValueError if no server could be told the address."""
    letter = message.letter
    frame = _frame(letter.subject, letter.text, letter.html, sender())
    links = [(mark.encode(), address.encode("ascii")) for mark, address in letter.links]
    fields = {"To": addressed(message.address), **_fields(message)}
    return b"".join(
        [
            frame.sender_and_subject,
            "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("ascii"),
            frame.structure,
            b"--%s\r\nContent-Type: text/plain; charset=utf-8\r\n" % frame.boundary,
            frame.text.encoded(links),
            b"\r\n--%s\r\nContent-Type: text/html; charset=utf-8\r\n" % frame.boundary,
            frame.html.encoded(links),
            b"\r\n--%s--\r\n" % frame.boundary,
        ]
    )


def sender() -> str:
    """Who writes, as the field From has it."""
    return _sender(current_school().sender_name, sender_address())


@lru_cache(maxsize=1)
def _sender(name: str, address: str) -> str:
    return mailbox(name, address)


def sender_address() -> str:
    return _address_in(settings.DEFAULT_FROM_EMAIL)


def sender_domain() -> str:
    """In which numbers of messages are given."""
    return sender_address().rpartition("@")[2] or "localhost"


@lru_cache(maxsize=1)
def _address_in(sender: str) -> str:
    return for_sending(parseaddr(sender)[1])


def _fields(message: Message) -> dict[str, str]:
    """The fields of one recipient's message, each in one line, however long."""
    fields = {
        "Message-ID": message.message_id,
        "Date": _date(int(time.time())),
        "Auto-Submitted": "auto-generated",
    }
    if reply_to := message.letter.reply_to:
        fields["Reply-To"] = addressed(for_sending(reply_to))
    if link := message.letter.unsubscribe_url:
        fields["List-Unsubscribe"] = f"<{uri(link)}>"
        fields["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return fields


@lru_cache(maxsize=FRAMES)
def _frame(subject: str, text: str, html: str, sender: str) -> Frame:
    boundary = f"={secrets.token_hex(16)}="  # which no body has in it
    known = [
        f"From: {sender}",
        f"Subject: {unstructured('Subject', subject)}",
    ]
    structure = [
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]
    return Frame(
        "".join(f"{line}\r\n" for line in known).encode("ascii"),
        "".join(f"{line}\r\n" for line in [*structure, ""]).encode("ascii"),
        boundary.encode(),
        _body(text),
        _body(html),
    )


def _body(text: str) -> Body:
    lines = NEWLINE.split(text)
    is_plain = PLAIN.fullmatch(text) and all(len(line) <= LONGEST_LINE for line in lines)
    # A lone surrogate has no bytes.
    return Body("\r\n".join(lines).encode(errors="replace"), bool(is_plain))


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


class ComposedMail(EmailMultiAlternatives):
    """A message for backends that don't speak SMTP: those that write it get it byte for byte."""

    content: bytes

    def message(self, *, policy: Any = default) -> Any:
        return message_from_bytes(self.content, policy=policy.clone(refold_source="none"))


def build(message: Message) -> ComposedMail:
    """The message as Django knows it. Raises ValueError as `compose` does."""
    letter = message.letter
    text, html = letter.filled_in(letter.text), letter.filled_in(letter.html)
    subject, to = one_line(letter.subject), [message.address]
    built = ComposedMail(subject, text, sender(), to, headers=_fields(message))
    built.attach_alternative(html, "text/html")
    built.content = message.content or compose(message)
    return built


def message_id(delivery_id: int, created_at: datetime, domain: str) -> str:
    """The same for each try of a delivery, and no other delivery's, in any database."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{domain}/{delivery_id}/{created_at.isoformat()}")
    return f"<{name}@{domain}>"

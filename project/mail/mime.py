"""The bytes of a message: built by Django once for each subject, with marks for what is personal.

Building each message anew costs more than sending it.
"""

import time
import uuid
from base64 import b64encode
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache

from django.core.mail import EmailMultiAlternatives

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
LONGEST_LINE = 700  # bytes; RFC 5322 allows 998, and a link may be longer than its mark
BASE64_LINE = 76
# In a header field of RFC 5322 without quotation, and in an SMTP command: most addresses.
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@-_+")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter, the address it goes to, and the Message-ID by which a repeat is recognised."""

    letter: Letter
    address: str
    message_id: str


class Press:
    """Makes the messages of a few letters for many people."""

    def __init__(self) -> None:
        self.moulds: OrderedDict[tuple[str, bool], bytes | None] = OrderedDict()

    def content_of(self, envelope: Envelope) -> bytes | None:
        """The message as it goes over the wire; None if only Django can build it."""
        mould = self._mould(envelope.letter)
        if mould is None or not PLAIN.issuperset(envelope.address):
            return None
        for mark, value in _personal(envelope).items():
            mould = mould.replace(mark, value)
        return mould

    def _mould(self, letter: Letter) -> bytes | None:
        """The message around the letter, with marks; None if a mark did not survive."""
        key = (letter.subject, bool(letter.unsubscribe_url))
        if key not in self.moulds:
            self.moulds[key] = _cast(letter)
            while len(self.moulds) > MOULDS:
                self.moulds.popitem(last=False)
        return self.moulds[key]


def _cast(letter: Letter) -> bytes | None:
    link = UNSUBSCRIBE_MARK if letter.unsubscribe_url else ""
    marked = Letter(letter.subject, TEXT_MARK, HTML_MARK, link)
    message = build(Envelope(marked, RECIPIENT_MARK, MESSAGE_ID_MARK), DATE_MARK)
    content = message.message(policy=SMTP).as_bytes()
    mould = _with_bodies_last(content)
    marks = [TEXT_MARK, HTML_MARK, RECIPIENT_MARK, MESSAGE_ID_MARK, DATE_MARK] + [link] * bool(link)
    # Before, too: one in the subject, which people write, would be taken for that of the body.
    found = [(content.count(mark.encode()), mould.count(mark.encode())) for mark in marks]
    return mould if found == [(1, 1)] * len(marks) else None


def _with_bodies_last(content: bytes) -> bytes:
    """Let each body's mark take its encoding along, which depends on the letters in the body."""
    for mark in (TEXT_MARK, HTML_MARK):
        head, _found, rest = content.partition(mark.encode())
        before, _found, headers = head.rpartition(ENCODING)
        others = headers.strip()
        content = before + (others + b"\r\n" if others else b"")
        content += b"<" + mark.encode() + b">" + rest
    return content


def _personal(envelope: Envelope) -> dict[bytes, bytes]:
    letter = envelope.letter
    link = letter.unsubscribe_url.encode()
    return {
        RECIPIENT_MARK.encode(): envelope.address.encode(),
        MESSAGE_ID_MARK.encode(): envelope.message_id.encode(),
        DATE_MARK.encode(): _date(int(time.time())),
        UNSUBSCRIBE_MARK.encode(): link,
        TEXT_PART: _part(letter.text, link),
        HTML_PART: _part(letter.html, link),
    }


def _part(body: str, link: bytes) -> bytes:
    """A body with the header of its encoding: as it is if it is plain, or in base64."""
    is_plain, content = _ready(body)
    content = content.replace(UNSUBSCRIBE_MARK.encode(), link)
    if is_plain:
        return b"Content-Transfer-Encoding: 7bit\r\n\r\n" + content
    encoded = b64encode(content)
    starts = range(0, len(encoded), BASE64_LINE)
    wrapped = b"\r\n".join([encoded[start : start + BASE64_LINE] for start in starts])
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + wrapped


@lru_cache(maxsize=MOULDS)
def _ready(body: str) -> tuple[bool, bytes]:
    """Is the body plain, and its bytes; the same for all who get the letter, but for their link."""
    lines = body.splitlines()
    is_plain = body.isascii() and all(len(line) <= LONGEST_LINE for line in lines)
    return is_plain, "\r\n".join(lines).encode()


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return format_datetime(datetime.fromtimestamp(second, UTC)).encode()


def build(envelope: Envelope, date: str = "") -> EmailMultiAlternatives:
    """The message as Django builds it."""
    letter = envelope.letter
    headers = {
        "Message-ID": envelope.message_id,
        "Date": date or _date(int(time.time())).decode(),
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


def message_id(delivery_id: int, created_at: datetime, domain: str) -> str:
    """The same for each try of a delivery, and no other delivery's, in any database."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{domain}/{delivery_id}/{created_at.isoformat()}")
    return f"<{name}@{domain}>"

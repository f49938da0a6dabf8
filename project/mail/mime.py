"""The bytes of a message: built by Django once for each subject, with marks for what is personal.

Building each message anew costs more than sending it.
"""

import time
import uuid
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache

from django.core.mail import EmailMultiAlternatives

from project.common.mailboxes import for_sending
from project.mail.kinds import UNSUBSCRIBE_MARK, Letter

# Kept at once: languages × mailings that are sent side by side, with room to spare.
PATTERNS = 16
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
class Message:
    """A letter, the address it goes to, the Message-ID by which a repeat is recognised, and what
    goes over the wire; without `content` Django builds it when it is sent."""

    letter: Letter
    address: str
    message_id: str
    content: bytes | None = None


def prepare(letter: Letter, address: str, message_id: str) -> Message:
    """The message with its content, as far as we can build it ourselves."""
    address = for_sending(address)
    message = Message(letter, address, message_id)
    try:
        link = letter.unsubscribe_url.encode()
        content = _pattern(letter.subject, has_link=bool(link))
        if content is None or not PLAIN.issuperset(address):
            return message
        personal = {
            RECIPIENT_MARK.encode(): address.encode(),
            MESSAGE_ID_MARK.encode(): message_id.encode(),
            DATE_MARK.encode(): _date(int(time.time())),
            UNSUBSCRIBE_MARK.encode(): link,
            TEXT_PART: _part(letter.text, link),
            HTML_PART: _part(letter.html, link),
        }
        for mark, value in personal.items():
            content = content.replace(mark, value)
        return replace(message, content=content)
    except Exception:  # noqa: BLE001 - building it again when it is sent says what is wrong
        return message


@lru_cache(maxsize=PATTERNS)
def _pattern(subject: str, *, has_link: bool) -> bytes | None:
    """The message as Django builds it, with marks in the place of what is personal, and each body's
    mark at the end of its headers, because the encoding depends on the letters in the body. None if
    a mark did not survive."""
    link = UNSUBSCRIBE_MARK if has_link else ""
    marked = Letter(subject, TEXT_MARK, HTML_MARK, link)
    message = build(Message(marked, RECIPIENT_MARK, MESSAGE_ID_MARK), DATE_MARK)
    built = pattern = message.message(policy=SMTP).as_bytes()
    for mark in (TEXT_MARK.encode(), HTML_MARK.encode()):
        head, _found, rest = pattern.partition(mark)
        before, _found, headers = head.rpartition(ENCODING)
        others = headers.strip()
        pattern = before + (others + b"\r\n" if others else b"") + b"<" + mark + b">" + rest
    marks = [TEXT_MARK, HTML_MARK, RECIPIENT_MARK, MESSAGE_ID_MARK, DATE_MARK] + [link] * has_link
    # Before, too: one in the subject, which people write, would be taken for that of the body.
    found = [(built.count(mark.encode()), pattern.count(mark.encode())) for mark in marks]
    return pattern if found == [(1, 1)] * len(marks) else None


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


@lru_cache(maxsize=PATTERNS)
def _ready(body: str) -> tuple[bool, bytes]:
    """Is the body plain, and its bytes; the same for all who get the letter, but for their link."""
    lines = body.splitlines()
    is_plain = body.isascii() and all(len(line) <= LONGEST_LINE for line in lines)
    return is_plain, "\r\n".join(lines).encode()


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return format_datetime(datetime.fromtimestamp(second, UTC)).encode()


def build(message: Message, date: str = "") -> EmailMultiAlternatives:
    """The message as Django builds it."""
    letter = message.letter
    headers = {
        "Message-ID": message.message_id,
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
    built = EmailMultiAlternatives(letter.subject, text, to=[message.address], headers=headers)
    built.attach_alternative(html, "text/html")
    return built


def message_id(delivery_id: int, created_at: datetime, domain: str) -> str:
    """The same for each try of a delivery, and no other delivery's, in any database."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{domain}/{delivery_id}/{created_at.isoformat()}")
    return f"<{name}@{domain}>"

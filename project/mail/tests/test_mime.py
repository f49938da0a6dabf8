"""The bytes of a message, as they go over the wire and as backends without SMTP get it."""

import math
import string
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import HeaderParser
from email.policy import default
from random import Random

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from people.validators import validate_mailbox
from project.common.mailboxes import canonical, for_sending
from project.common.texts import one_line
from project.mail.kinds import UNSUBSCRIBE_MARK, Letter, Secret
from project.mail.mime import Message, build, message_id, prepare
from project.mail.smtp import Transport
from project.mail.tests.hostile import hostile
from project.mail.tests.sink import Sink
from project.school.current import kept
from project.school.models import School

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LETTER = Letter("Bread", "Text\n", "<p>Text</p>\n")
LINK = "https://school.example/unsubscribe/1/"

FIELDS = ["From", "Subject", "To", "Message-ID", "Date", "Auto-Submitted"]
ONE_CLICK = ["List-Unsubscribe", "List-Unsubscribe-Post"]
STRUCTURE = ["MIME-Version", "Content-Type"]

Way = Callable[[Message], EmailMessage]


def _to_anna(letter: Letter) -> Message:
    return prepare(letter, "anna@school.example", "<1@school.example>")


def _filled_in(message: Message) -> EmailMessage:
    assert message.content is not None
    return message_from_bytes(message.content, policy=default)


def _built(message: Message) -> EmailMessage:
    return message_from_bytes(build(message).message().as_bytes(), policy=default)


both_ways = pytest.mark.parametrize("way", [_filled_in, _built], ids=["wire", "Django"])


def bodies(message: EmailMessage) -> dict[str, EmailMessage]:
    return {part.get_content_subtype(): part for part in message.iter_parts()}  # type: ignore[misc]


@both_ways
def test_a_message_has_these_headers_and_no_others(way: Way) -> None:
    with time_machine.travel(NOW, tick=False):
        message = way(_to_anna(LETTER))
    headers = {name: value for name, value in message.items() if name != "Content-Type"}
    assert headers == {
        "MIME-Version": "1.0",
        "Subject": "Bread",
        "From": "Parta <noreply@localhost>",
        "To": "anna@school.example",
        "Message-ID": "<1@school.example>",
        "Date": "Mon, 23 Nov 2026 09:00:00 +0000",
        "Auto-Submitted": "auto-generated",
    }
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


@both_ways
def test_a_message_with_a_link_has_the_headers_of_one_click(way: Way) -> None:
    letter = Letter("Bread", f"Stop: {UNSUBSCRIBE_MARK}", f'<a href="{UNSUBSCRIBE_MARK}">', LINK)
    message = way(_to_anna(letter))
    assert message["List-Unsubscribe"] == f"<{LINK}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    parts = bodies(message)
    assert parts["plain"].get_content().strip() == f"Stop: {LINK}"
    assert parts["html"].get_content().strip() == f'<a href="{LINK}">'


def test_the_next_person_gets_nothing_of_the_last_one() -> None:
    for number, name in enumerate(["anna", "boris"]):
        link = f"https://school.example/unsubscribe/{name}/"
        letter = Letter("Bread", f"Dear {name}: {UNSUBSCRIBE_MARK}", f"<p>{name}</p>", link)
        with time_machine.travel(NOW + number * SECOND, tick=False):
            prepared = prepare(letter, f"{name}@school.example", f"<{name}@school.example>")
        message = _filled_in(prepared)
        assert message["To"] == f"{name}@school.example"
        assert message["Message-ID"] == f"<{name}@school.example>"
        assert message["List-Unsubscribe"] == f"<{link}>"
        assert message["Date"].datetime == NOW + number * SECOND
        assert prepared.content is not None
        assert (b"anna" in prepared.content) == (name == "anna")
    assert _filled_in(_to_anna(LETTER))["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (f"{'x' * 700}\n{'y' * 700}\n", "7bit"),
        (f"{'x' * 701}\n", "base64"),
        (f"short\n{'x' * 701}\n", "base64"),
        ("хлеб\n", "base64"),
    ],
    ids=["short enough", "too long", "one too long", "Russian"],
)
def test_a_body_is_encoded_if_a_line_is_long_or_not_english(body: str, encoding: str) -> None:
    for text, html in [(body, "<p>x</p>\n"), ("x\n", body), (body, body)]:
        message = _filled_in(_to_anna(Letter("Bread", text, html)))
        parts = bodies(message)
        for part, content in [(parts["plain"], text), (parts["html"], html)]:
            assert part.get_content().splitlines() == content.splitlines()
            assert part["Content-Transfer-Encoding"] == (encoding if content == body else "7bit")
            if part["Content-Transfer-Encoding"] == "base64":
                lines = str(part.get_payload()).split()
                assert max(map(len, lines)) <= 76
                assert len(lines) == -(-sum(map(len, lines)) // 76)


@pytest.mark.parametrize(
    "address",
    [
        "anna boris@x",
        "anna,boris@x",
        "<anna@x>",
        "анна@x",
        "anna@x\r\nRCPT TO:<b@x>",
        "anna..boris@x",
        '"anna\x00"@x',
        '"anna\r\nBcc: b"@x',
        "anna@x>",
        "anna@",
        "@x",
        "",
    ],
)
def test_an_address_that_no_server_could_be_told_makes_no_message(address: str) -> None:
    message = prepare(LETTER, address, "<1@school.example>")
    assert message.content is None
    with pytest.raises(ValueError, match="Invalid address"):
        build(message)


def _as_sent(text: str) -> str:
    """A lone half of a character has no bytes; a line ends with one newline."""
    plain = text.encode(errors="replace").decode()
    return plain.replace("\r\n", "\n").replace("\r", "\n")


@settings(deadline=None)
@given(subject=hostile, text=hostile, html=hostile, link=st.sampled_from(["", LINK]))
def test_no_text_of_an_author_steers_a_message(
    subject: str, text: str, html: str, link: str
) -> None:
    prepared = _to_anna(Letter(subject, text, html, link))
    for message in (_filled_in(prepared), _built(prepared)):
        assert message.keys() == FIELDS + ONE_CLICK * bool(link) + STRUCTURE
        assert message["Subject"] == one_line(subject)
        assert message["To"].addresses == (Address(addr_spec="anna@school.example"),)
        assert message["From"] == "Parta <noreply@localhost>"
        assert message["List-Unsubscribe"] == (f"<{link}>" if link else None)
        assert not message.defects
        parts = list(message.iter_parts())
        assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
        for part, body in zip(parts, [text, html], strict=True):
            assert part.keys() == ["Content-Type", "Content-Transfer-Encoding"]
            assert _as_sent(part.get_content()) == _as_sent(body)


@settings(deadline=None)
@given(name=hostile)
def test_no_name_of_the_school_steers_a_message(name: str) -> None:
    kept.keep(School(sender_name=name), math.inf)
    prepared = _to_anna(LETTER)
    for message in (_filled_in(prepared), _built(prepared)):
        assert message.keys() == FIELDS + STRUCTURE
        [address] = message["From"].addresses
        assert address.display_name == (one_line(name)[:100].rstrip() or "Parta" * (not name))
        assert address.addr_spec == "noreply@localhost"


def test_a_subject_is_one_line_of_what_can_be_shown() -> None:
    assert one_line(" a\r\n b\t\x0b\x85\u2028c\xa0d ") == "a b c d"
    assert one_line("a\x00\x07\x7fb\ud800\u202ec\u2066d") == "abcd"
    # Marks of direction that turn nothing, joiners and pictures stay.
    assert one_line("\u200fשלום 👩\u200d🏫") == "\u200fשלום 👩\u200d🏫"


def _random_address(random: Random) -> str:
    """With all that may stand in an address; most of them are valid."""
    atom = string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~"
    local = "".join(random.choices(atom + "..", k=random.choice([1, 5, 12, 64, 64])))
    if random.random() < 0.2:
        local = random.choice(["o'", "=?utf-8?q?", "a+b=?x?=", "a=?utf-8?b?YQ==?="]) + local[:40]
    hosts = ["школа.рф", "bücher.example", "faß.de", "παράδειγμα.gr", "例え.jp", "x.example"]
    long = ".".join(
        "".join(random.choices("abc-д", k=random.randint(1, 50))) for _label in range(3)
    )
    return f"{local}@{random.choice([*hosts, f'a{long}z.example'])}"


def test_ten_thousand_addresses_are_read_back_and_their_links_stand_in_one_line() -> None:
    random = Random(18)
    is_email = EmailValidator()
    link = f"https://school.example/unsubscribe/{'a1' * 16}-1:{'x' * 43}/"
    letter = Letter("Хлеб", f"Stop: {UNSUBSCRIBE_MARK}", "<p>x</p>", link)
    tried = 0
    while tried < 10_000:
        address = canonical(_random_address(random))
        try:
            is_email(address)
            validate_mailbox(address)
        except ValidationError:
            continue
        tried += 1
        prepared = prepare(letter, address, "<1@school.example>")
        assert prepared.content is not None, address
        head = prepared.content.partition(b"\r\n\r\n")[0]
        assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in head
        assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in head
        message = HeaderParser(policy=default).parsestr(head.decode("ascii"))
        to = message["To"]
        assert [one.addr_spec for one in to.addresses] == [for_sending(address)]
        assert not to.defects
        assert message.keys() == FIELDS + ONE_CLICK + STRUCTURE


@pytest.mark.parametrize(
    "address",
    [
        "o'neill@school.example",
        "=?utf-8?q?anna?=@school.example",
        "!#$%&*+-/=?^_`{|}~@school.example",
        f"{'a' * 64}@school.example",
        "anna@школа.рф",
        '"anna boris"@school.example',
    ],
)
def test_a_server_gets_the_link_in_one_line(sink: Sink, address: str) -> None:
    letter = Letter("Хлеб", f"Stop: {UNSUBSCRIBE_MARK}", "<p>x</p>", LINK)
    with closing(Transport()) as transport:
        transport.send(prepare(letter, address, "<1@school.example>"))
    [(recipient, content)] = sink.received
    assert recipient == for_sending(address)
    assert f"\r\nList-Unsubscribe: <{LINK}>\r\n".encode() in content
    [message] = sink.messages(recipient)
    assert [one.addr_spec for one in message["To"].addresses] == [recipient]
    assert message["Subject"] == "Хлеб"


@pytest.mark.parametrize(
    "address",
    ['"anna b"@school.example', r'"a\"b"@school.example', "anna@[127.0.0.1]", "root@localhost"],
)
def test_addresses_of_before_the_rules_for_them_are_sent_to_as_well(address: str) -> None:
    message = _filled_in(prepare(LETTER, address, "<1@school.example>"))
    [to] = message["To"].addresses
    assert to.addr_spec == address


@both_ways
def test_links_to_a_site_with_a_name_in_unicode_are_in_ascii(way: Way) -> None:
    link = "https://школа.рф:8000/unsubscribe/1/"
    secrets = (("https://secret.invalid/1/", Secret("https://школа.рф/reset/1/")),)
    text = f"{UNSUBSCRIBE_MARK} https://secret.invalid/1/"
    message = way(_to_anna(Letter("Bread", text, "<p>x</p>", link, secrets=secrets)))
    there = "https://xn--80atdl2c.xn--p1ai"
    assert message["List-Unsubscribe"] == f"<{there}:8000/unsubscribe/1/>"
    read = bodies(message)["plain"].get_content().strip()
    assert read == f"{there}:8000/unsubscribe/1/ {there}/reset/1/"


def test_two_messages_of_a_letter_differ_in_what_is_personal_alone() -> None:
    contents = [
        prepare(LETTER, f"{name}@school.example", f"<{name}@school.example>").content
        for name in ("anna", "boris", "anna")
    ]
    assert contents[0] is not None
    assert contents[0] == contents[2]
    assert contents[0].replace(b"anna", b"boris") == contents[1]


def test_a_mail_has_the_same_id_however_often_it_is_tried_and_no_other_mail_has_it() -> None:
    known = message_id(1, NOW, "school.example")
    assert known == message_id(1, NOW, "school.example")
    assert known.endswith("@school.example>")
    others = {
        message_id(2, NOW, "school.example"),
        message_id(1, NOW + SECOND, "school.example"),
        message_id(1, NOW, "other.example"),
    }
    assert len(others | {known}) == 4
    # As it was written by the workers before this one: what they sent may be repeated.
    assert known == "<829c1da2-c7d2-5c9d-8f1a-539bf44d1b8f@school.example>"

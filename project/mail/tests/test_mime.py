"""The bytes of a message, whichever way it is built: by Django, or faster from a pattern."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
import time_machine

from project.mail import mime as module
from project.mail.kinds import UNSUBSCRIBE_MARK, Letter
from project.mail.mime import Message, build, message_id, prepare

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LETTER = Letter("Bread", "Text\n", "<p>Text</p>\n")
LINK = "https://school.example/unsubscribe/1/"

Way = Callable[[Message], EmailMessage]


def _to_anna(letter: Letter) -> Message:
    return prepare(letter, "anna@school.example", "<1@school.example>")


def _filled_in(message: Message) -> EmailMessage:
    assert message.content is not None
    return message_from_bytes(message.content, policy=default)


def _built(message: Message) -> EmailMessage:
    return message_from_bytes(build(message).message().as_bytes(), policy=default)


both_ways = pytest.mark.parametrize("way", [_filled_in, _built], ids=["pattern", "Django"])


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
    ["anna boris@x", "anna,boris@x", '"anna"@x', "<anna@x>", "анна@x", "anna@x\r\nRCPT TO:<b@x>"],
)
def test_an_address_that_needs_care_is_left_to_django(address: str) -> None:
    assert prepare(LETTER, address, "<1@school.example>").content is None


@pytest.mark.parametrize("title", ["{}", "Course “{}” was updated"])
@pytest.mark.parametrize("mark", ["RECIPIENT", "MESSAGE_ID", "DATE", "TEXT", "HTML", "UNSUBSCRIBE"])
def test_a_subject_that_looks_like_a_mark_spoils_nothing(mark: str, title: str) -> None:
    """It is the title of a course, which an author may choose."""
    subject = title.format(getattr(module, f"{mark}_MARK"))
    letter = Letter(subject, "Text", "<p>Text</p>", LINK)
    prepared = _to_anna(letter)
    assert prepared.content is None or "“" in title
    message = _built(prepared) if prepared.content is None else _filled_in(prepared)
    assert (message["Subject"], message["To"]) == (subject, "anna@school.example")
    texts = [part.get_content().strip() for part in bodies(message).values()]
    assert texts == ["Text", "<p>Text</p>"]


def test_a_body_that_looks_like_a_mark_stays_as_it_is() -> None:
    body = f"{module.RECIPIENT_MARK} {module.MESSAGE_ID_MARK} {module.DATE_MARK}"
    message = _filled_in(_to_anna(Letter("Bread", body, body)))
    for part in bodies(message).values():
        assert part.get_content().strip() == body


def test_sixteen_patterns_are_kept_and_the_oldest_goes_first() -> None:
    module._pattern.cache_clear()
    for built, number in enumerate([*range(17), 0], start=1):
        letter = Letter(f"Subject {number}", "Text", "<p>Text</p>")
        assert _filled_in(_to_anna(letter))["Subject"] == f"Subject {number}"
        assert module._pattern.cache_info().misses == built
    for number in [*range(2, 17), 0]:
        _to_anna(Letter(f"Subject {number}", "Text", "<p>Text</p>"))
    assert module._pattern.cache_info().misses == 18


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

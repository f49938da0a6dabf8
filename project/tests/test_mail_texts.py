"""What holds of the mails of all kinds, whatever people have written."""

import re
from email import message_from_bytes
from email.policy import default

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from lms.models import Course, CourseChange, Lesson
from payments.models import Payment, Refund
from people.models import User
from people.tests.factories import UserFactory
from project.common.texts import one_line
from project.mail.kinds import Letter, mail_kind
from project.mail.mime import build, prepare
from project.mail.services import send_to_one
from project.mail.tasks import deliver_mail
from project.mail.tests.hostile import FRAGMENTS
from project.mail.tests.sink import Sink
from project.tests.mail_examples import EXAMPLES

pytestmark = pytest.mark.django_db

FIELDS = ["From", "Subject", "To", "Message-ID", "Date", "Auto-Submitted"]
ONE_CLICK = ["List-Unsubscribe", "List-Unsubscribe-Post"]
STRUCTURE = ["MIME-Version", "Content-Type"]
WORD = "Sourdough"
LINK = re.compile(r"https?://[^\s\"<]+")
# What a link has that nobody can guess.
TOKEN = re.compile(r"[\w:=-]{16,}")
# What a database keeps, and no more than is shown of a title.
written = (
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
        | st.sampled_from([one for one in FRAGMENTS if not {"\0", "\ud800"} & set(one)]),
        min_size=1,
        max_size=4,
    )
    .map(lambda parts: "".join(parts)[:75].strip())
    # A title is kept without what can't be seen, and without the spaces that this leaves at its ends.
    .filter(
        lambda text: text and [text[0], text[-1]] == [*one_line(text)[:1], *one_line(text)[-1:]]
    )
)


def write_everywhere(text: str) -> None:
    """Have people, courses, lessons and what is told of them called so."""
    User.objects.update(first_name=text, last_name=text, city=text)
    Course.objects.update(title=one_line(text), description=text)
    Lesson.objects.update(title=one_line(text), description=text)
    CourseChange.objects.update(lesson_title=text)
    Payment.objects.update(title=text)
    Refund.objects.update(reason=text)


@pytest.mark.any_database
@settings(max_examples=10, deadline=None)
@given(text=written, language=st.sampled_from(["en", "ru"]))
@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_what_people_write_is_read_back_as_they_wrote_it(
    kind: str, text: str, language: str
) -> None:
    def letter_that_says(said: str) -> Letter:
        write_everywhere(said)
        recipient.refresh_from_db()
        recipient.email = recipient.new_email or recipient.email
        letter = mail_kind(kind).write(subject_id, [recipient])[recipient.pk]
        assert isinstance(letter, Letter), letter
        return letter

    with transaction.atomic():
        recipient = UserFactory.create(language=language)
        subject_id = EXAMPLES[kind](recipient, "Bread")
        usual, letter = letter_that_says(WORD), letter_that_says(text)
        transaction.set_rollback(True)
    # Which has the text wherever it had the word.
    assert letter.subject == one_line(usual.subject.replace(WORD, text))
    assert one_line(letter.text) == one_line(usual.text.replace(WORD, text))
    prepared = prepare(letter, recipient.email, "<1@school.example>")
    assert prepared.content is not None
    for content in (prepared.content, build(prepared).message().as_bytes()):
        message = message_from_bytes(content, policy=default)
        assert message.keys() == FIELDS + ONE_CLICK * bool(letter.unsubscribe_url) + STRUCTURE
        assert message["Subject"] == letter.subject
        assert [one.addr_spec for one in message["To"].addresses] == [recipient.email]
        assert message["List-Unsubscribe"] in {None, f"<{letter.unsubscribe_url}>"}
        assert not message.defects
        bodies = list(message.iter_parts())
        assert [body.get_content_type() for body in bodies] == ["text/plain", "text/html"]
        read = bodies[0].get_content()
        sent = build(prepared).body
        assert re.split("\r\n|\r|\n", read) == re.split("\r\n|\r|\n", str(sent))


def test_nothing_that_is_kept_of_a_mail_opens_anything(sink: Sink) -> None:
    with_tokens = set()
    for kind, make in EXAMPLES.items():
        person = UserFactory.create(email=f"{kind}@oak.example")
        subject_id = make(person, "Bread")
        person.refresh_from_db()
        to = {"other_address": person.new_email} if person.new_email else {}
        mailing = send_to_one(kind, person, subject_id=subject_id, **to)
        deliver_mail()
        kept = mailing.letters.get()
        message = sink.messages(f"{kind}@oak.example")[-1]
        sent = "".join(part.get_content() for part in message.iter_parts())
        tokens = {token for link in LINK.findall(sent) for token in TOKEN.findall(link)}
        with_tokens |= {kind} if tokens else set()
        assert not [token for token in tokens if token in kept.text + kept.html], kind
    assert with_tokens >= {"course_update", "data_export", "invitation", "password_reset"}

"""A mail server without a wire. It takes each mail in the thread of the sender, so that a test says
for certain what happens between two mails."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


def nothing(address: str) -> None:
    """Nothing happens."""


class Counter(BaseEmailBackend):
    # What was taken, in order, and what happens while a mail is taken; it may raise.
    taken: ClassVar[list[str]] = []
    meanwhile: ClassVar[Callable[[str], None]] = nothing

    @classmethod
    def reset(cls) -> None:
        cls.taken.clear()
        cls.meanwhile = nothing

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        for message in messages:
            [address] = message.to
            type(self).meanwhile(address)
            self.taken.append(address)
        return len(messages)

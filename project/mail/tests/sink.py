"""A real mail server on a free port, which counts what arrives and can be told to refuse."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Sink:
    """What arrived, in order, and the answers for addresses that are refused."""

    received: list[tuple[str, bytes]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    # What it says of a whole message, and after how many seconds; "" hangs up.
    answers: dict[str, tuple[float, str]] = field(default_factory=dict)
    # Called with each address before its mail is accepted; may return another answer.
    before_accepting: Callable[[str], str | None] = lambda address: None
    port: int = 0
    pipelining: bool = False

    @property
    def counts(self) -> Counter[str]:
        return Counter(address for address, _content in self.received)

    def messages(self, address: str) -> list[EmailMessage]:
        return [
            message_from_bytes(content, policy=default)
            for to, content in self.received
            if to == address
        ]

    async def handle_EHLO(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, host: str, answers: list[str]
    ) -> list[str]:
        session.host_name = host
        return [*answers[:-1], *["250-PIPELINING"] * self.pipelining, answers[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        address = envelope.rcpt_tos[0]
        other = self.before_accepting(address)
        if other == "drop":
            assert server.transport is not None
            server.transport.close()
            return "250 OK"
        if other is not None:
            return other
        content = envelope.content
        assert isinstance(content, bytes)
        seconds, answer = self.answers.get(address, (0, "250 OK"))
        if answer[:1] in {"", "2"}:
            self.received.append((address, content))
        await asyncio.sleep(seconds)
        if not answer:
            assert server.transport is not None
            server.transport.close()
        return answer or "250 OK"


class Port(Controller):
    """aiosmtpd's controller on a port that the operating system chooses."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink, hostname="127.0.0.1", port=sink.port)

    def _trigger_server(self) -> None:
        """Learn the port before the controller connects to it, to see that it listens."""
        server: Any = self.server
        self.port = self.handler.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()


@dataclass
class MailHost:
    """The sink and its switch."""

    sink: Sink
    settings: Any
    controller: Port | None = None

    def up(self) -> None:
        self.controller = Port(self.sink)
        self.controller.start()
        self.settings.MAILERS = {
            "default": {
                "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "OPTIONS": {"host": "127.0.0.1", "port": self.sink.port, "timeout": 5},
            }
        }

    def down(self) -> None:
        if self.controller is not None:
            self.controller.stop()
            self.controller = None


@pytest.fixture
def mail_host(settings: Any) -> Iterator[MailHost]:
    host = MailHost(Sink(), settings)
    host.up()
    yield host
    host.down()


@pytest.fixture
def sink(mail_host: MailHost) -> Sink:
    return mail_host.sink

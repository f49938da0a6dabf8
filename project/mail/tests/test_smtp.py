"""What is said to mail servers that answer in unusual ways."""

from collections.abc import Callable, Iterator
from contextlib import closing
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from project.mail.kinds import Letter
from project.mail.mime import prepare
from project.mail.smtp import AddressRefused, ServerUnavailable, Transport, speaks_of_mailbox
from project.tests.processes import wait_until

Answers = dict[str, str]


@pytest.fixture
def serve(settings) -> Iterator[Callable[[Answers], list[str]]]:
    """A server that answers each command as told, else `250`; returns the lines that it hears."""
    servers = []

    def start(answers: Answers) -> list[str]:
        heard: list[str] = []

        class Server(StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 ready")
                takes_message = False
                for line in self.rfile:
                    text = line.decode().strip()
                    heard.append(text)
                    command = text.partition(" ")[0]
                    if takes_message and text != ".":
                        continue
                    answer = answers.get(command, "250 fine")
                    takes_message = answer.startswith("354")
                    self.say(answer)

            def say(self, answer: str) -> None:
                self.wfile.write(f"{answer}\r\n".encode())

        server = ThreadingTCPServer(("127.0.0.1", 0), Server)
        servers.append(server)
        Thread(target=server.serve_forever, args=(0.01,)).start()
        settings.MAILERS = {
            "default": {
                "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "OPTIONS": {"host": "127.0.0.1", "port": server.server_address[1], "timeout": 5},
            }
        }
        return heard

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


LETTER = Letter("Bread", "Text\n.\nMore", "<p>Text</p>")
TAKES = {"ehlo": "250-me\r\n250 PIPELINING", "DATA": "354 go on"}


def send(times: int = 1) -> None:
    with closing(Transport()) as transport:
        for _time in range(times):
            transport.send(prepare(LETTER, "anna@school.example", "<1@x>"))


def test_the_commands_go_out_in_order_and_dots_are_doubled(serve):
    heard = serve(TAKES)
    send(2)
    commands = [line for line in heard if line.split(" ")[0] in {"MAIL", "RCPT", "DATA", "."}]
    assert [line.partition(" ")[0] for line in commands] == ["MAIL", "RCPT", "DATA", "."] * 2
    assert commands[:2] == ["MAIL FROM:<noreply@localhost>", "RCPT TO:<anna@school.example>"]
    assert heard.count("..") == 2


def test_a_server_that_wants_a_message_to_nobody_gets_none(serve):
    heard = serve({**TAKES, "RCPT": "550 No such mailbox", ".": "554 To nobody"})
    with pytest.raises(AddressRefused, match="550 No such mailbox"):
        send()
    assert heard[-4:] == ["DATA", ".", "rset", "quit"]


@pytest.mark.parametrize("ehlo", ["250 me", TAKES["ehlo"]])
def test_a_server_that_does_not_want_us_gets_nothing_more(serve, ehlo):
    heard = serve({"ehlo": ehlo, "MAIL": "530 Log in first", "RCPT": "503 No", "DATA": "503 No"})
    with pytest.raises(ServerUnavailable, match="530 Log in first"):
        send()
    wait_until(lambda: heard[-1] == "quit")  # it reads on while we have gone already
    assert "." not in heard


@pytest.mark.parametrize("ehlo", ["250 me", TAKES["ehlo"]])
def test_a_message_that_is_not_wanted_does_not_spoil_the_next(serve, ehlo):
    heard = serve({"ehlo": ehlo, "DATA": "554 No"})
    with pytest.raises(AddressRefused, match="554 No"):
        send()
    assert heard[-3:] == ["DATA", "rset", "quit"]


@pytest.mark.parametrize("address", ["a@x\r\nRCPT TO:<b@x>", "a@x>\r\nDATA\r\n"])
def test_an_address_with_a_command_in_it_is_refused_by_ourselves(serve, address):
    heard = serve(TAKES)
    with closing(Transport()) as transport, pytest.raises(AddressRefused):
        transport.send(prepare(LETTER, address, "<1@x>"))
    assert not [line for line in heard if line.startswith(("RCPT", "DATA"))]


@pytest.mark.parametrize("hook", ["before", "meanwhile"])
def test_what_fails_on_our_side_leaves_no_half_of_a_message(serve, hook):
    serve(TAKES)

    def fail() -> None:
        raise ZeroDivisionError

    with closing(Transport()) as transport:
        message = prepare(LETTER, "anna@school.example", "<1@x>")
        with pytest.raises(ZeroDivisionError):
            transport.send(message, **{hook: fail})
        transport.send(message)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("550 5.1.1 No such mailbox", True),
        ("550 5.1.1 <address>: Recipient address rejected: User unknown", True),
        ("550-5.1.1 The email account that you tried to reach does not exist.", True),
        ("550 #5.1.1 Unknown", True),
        ("554 5.1.1 After the whole message", True),
        ("550 5.1.2 Host unknown", True),
        ("501 5.1.3 Bad recipient address syntax", True),
        ("551 5.1.6 Moved", True),
        ("556 5.1.10 Recipient address has null MX", True),
        ("550 5.2.1 The mailbox is disabled", True),
        ("550 No such user here", True),
        ("550 Unknown user", True),
        ("551 User not found", True),
        ("553 Mailbox does not exist", True),
        ("550 5.1.0 Address rejected", False),
        ("550 5.1.7 Bad sender", False),
        ("550 5.1.8 Sender domain unknown user", False),
        ("550 5.1.11 Something new", False),
        ("552 5.2.2 Mailbox full", False),
        ("552 5.3.4 Message too big", False),
        ("550 5.4.1 Recipient address rejected: Access denied", False),
        ("554 5.5.1 No valid recipients", False),
        ("554 5.6.0 Content", False),
        ("550 5.7.1 User unknown to our policy, your IP is listed", False),
        ("550 5.7.26 Unauthenticated", False),
        ("550 Mailbox unavailable", False),
        ("550 Relaying denied", False),
        ("554 No such user", False),
        ("550 blocked, see http://rbl.example/?ip=5.1.1.1", False),
        ("550", False),
    ],
)
def test_what_a_server_says_of_the_mailbox_is_told_from_what_it_says_of_us(words, expected):
    assert speaks_of_mailbox(int(words[:3]), words) is expected

"""*Send a test email*: what an administrator hears of what the mail server says."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from project.mail import trials
from project.mail.models import AddressCount, Delivery
from project.mail.sending import mail_server

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse"
HOST = "127.0.0.1"


@pytest.fixture
def press(client_of, administrator):
    """Press the button; return what the page says then."""

    def answer_to(address: str = "") -> str:
        where = reverse("admin:mail_mailserver_send_test", args=[mail_server().pk])
        response = client_of(administrator).post(where, {"address": address}, follow=True)
        assert response.status_code == 200
        [message] = [str(one) for one in response.context["messages"]]
        return message

    return answer_to


@pytest.fixture
def server(settings) -> Iterator[Callable[..., int]]:
    """A server that says what it is told to: a greeting, then an answer to each line in turn; after
    the last of them it is silent."""
    sockets = []

    def start(*answers: str, tls: ssl.SSLContext | None = None, **options: object) -> int:
        listening = socket.create_server((HOST, 0))
        sockets.append(listening)
        port: int = listening.getsockname()[1]
        settings.MAILERS = {
            "default": {
                "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "OPTIONS": {"host": HOST, "port": port, "timeout": 15, **options},
            }
        }

        def serve() -> None:
            with suppress(OSError):
                connection, _address = listening.accept()
                sockets.append(connection)
                if tls:
                    connection = tls.wrap_socket(connection, server_side=True)
                    sockets.append(connection)
                lines = connection.makefile("rb")
                for answer in answers:
                    if answer == "hang up":
                        connection.shutdown(socket.SHUT_RDWR)
                    connection.sendall(answer.encode() + b"\r\n")
                    if answer.startswith("354"):
                        while lines.readline() != b".\r\n":
                            continue
                    else:
                        lines.readline()

        Thread(target=serve, daemon=True).start()
        return port

    yield start
    for one in sockets:
        one.close()


READY = ("220 ready", "250 mail.school.example")
LATE = "did not answer in time."


def test_the_server_takes_it_and_its_answer_is_shown(press, server, administrator):
    server(*READY, "250 sender", "250 recipient", "354 go on", "250 2.0.0 queued as 4711")
    assert press() == "The mail server took the email: 250 2.0.0 queued as 4711"
    assert LogEntry.objects.get().get_change_message() == "Send a test email"
    assert not Delivery.objects.exists()


def test_it_goes_to_ones_own_address_or_to_another(press, sink, administrator):
    press()
    press("anna@школа.рф")
    assert list(sink.counts) == [administrator.email, "anna@xn--80atdl2c.xn--p1ai"]
    [message] = sink.messages(administrator.email)
    assert message["Subject"] == "Test email from Parta"
    assert len(list(message.iter_parts())) == 2


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["554 5.7.1 Not you"], "refused the email: 554 5.7.1 Not you"),
        ([*READY, "550 5.1.8 Bad sender"], "refused the email: 550 5.1.8 Bad sender"),
        ([*READY, "250", "550 5.1.1 No such user"], "refused the email: 550 5.1.1 No such user"),
        ([*READY, "250", "451 4.7.1 Later"], "refused the email: 451 4.7.1 Later"),
        ([*READY, "250", "250", "554 No data"], "refused the email: 554 No data"),
        ([*READY, "250", "250", "354", "550 5.7.1 Spam"], "refused the email: 550 5.7.1 Spam"),
        ([*READY, "hang up"], "ended the connection: Connection unexpectedly closed"),
    ],
)
def test_a_refusal_is_shown_word_for_word(press, server, answers, said):
    port = server(*answers)
    assert press() == f"The mail server {HOST}:{port} {said}"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("answers", "perhaps"),
    [
        ([], ""),
        (["220 ready"], ""),
        ([*READY, "250"], ""),
        ([*READY, "250", "250", "354"], " It has the email and may deliver it."),
    ],
)
def test_a_silent_server_holds_up_nobody(press, server, monkeypatch, answers, perhaps):
    monkeypatch.setattr(trials, "ANSWER_SECONDS", 0.3)
    port = server(*answers)
    begun = time.monotonic()
    said = press()
    assert said == f"The mail server {HOST}:{port} {LATE}{perhaps}"
    assert time.monotonic() - begun < 10


def test_a_server_that_drips_is_left_after_the_whole_time(press, server, monkeypatch):
    monkeypatch.setattr(trials, "SECONDS", 0.5)
    server()
    assert LATE in press()


def test_there_is_no_server(press, server, settings):
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    server()
    settings.MAILERS["default"]["OPTIONS"]["port"] = port
    said = press()
    assert said.startswith(f"No connection to the mail server {HOST}:{port}: ")
    assert "refused" in said


def test_a_wrong_password_is_said_and_never_shown(press, server):
    port = server(
        "220 ready",
        "250-mail.school.example\r\n250 AUTH PLAIN",
        f"535 5.7.8 Bad password {PASSWORD}",
        username="school",
        password=PASSWORD,
    )
    said = press()
    assert said.startswith(f"The mail server {HOST}:{port} refused the user name or the password:")
    assert "535 5.7.8 Bad password •••" in said
    assert PASSWORD not in said


def test_a_server_without_encryption_is_told_of(press, server):
    port = server("220 ready", "250 mail.school.example", use_tls=True)
    said = press()
    assert said.startswith(f"No encrypted connection to the mail server {HOST}:{port}: STARTTLS")


def test_a_server_that_speaks_no_tls_is_told_of(press, server):
    port = server("220 ready", use_ssl=True)
    assert press().startswith(f"No encrypted connection to the mail server {HOST}:{port}: ")


def test_a_certificate_that_nobody_vouches_for_is_told_of(press, server, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, "req", *made, *files], check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    port = server("220 ready", tls=tls, use_ssl=True)
    said = press()
    assert said.startswith(f"The certificate of the mail server {HOST}:{port} is not trusted: ")
    assert "self-signed certificate" in said


def test_an_address_gets_so_many_tests_in_a_day(press, sink, settings):
    settings.MAILS_PER_ADDRESS = 2
    for _time in range(3):
        said = press("anna@school.example")
    assert "took" not in said
    assert sink.counts["anna@school.example"] == 2
    assert AddressCount.objects.get().mails == 2


def test_without_a_mail_server_it_says_so(press, mailoutbox):
    assert "EMAIL_URL" in press()
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("role", ["learner", "moderator", "support"])
def test_nobody_else_may_send_one(client_of, request, role, sink):
    where = reverse("admin:mail_mailserver_send_test", args=[mail_server().pk])
    client_of(request.getfixturevalue(role)).post(where, {"address": ""})
    assert not sink.received

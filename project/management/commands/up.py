"""`manage.py up`: from a fresh clone to a running school."""

import os
import secrets
import socket
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseFault
from django.db import connection

from project import demo
from project.common.background.queue import enqueue
from project.common.background.tasks import CANARY
from project.processes.supervisor import GRACE_SECONDS, Service, Supervisor
from project.translations import compile_catalogues

ENV_TEMPLATE = """\
# Written by `manage.py up`. .env.sample names and explains every variable.
# Variables of the environment win over this file.

SECRET_KEY={key}
# For development only: shows errors to everybody, sends mail to the terminal, needs no HTTPS.
DEBUG=on

# With DEBUG, only 127.0.0.1 and localhost are answered unless you name more:
# ALLOWED_HOSTS=127.0.0.1,localhost,192.168.1.5
# The origin of your single-page application:
# CORS_ALLOWED_ORIGINS=http://localhost:3000
# DATABASE_URL=postgres://user:password@127.0.0.1:5432/parta
# CURRENCY=RUB
# STRIPE_API_KEY=sk_test_…
# STRIPE_WEBHOOK_SECRET=whsec_…
"""


class Command(BaseCommand):
    help = (
        "Start the school: write .env where there is none, migrate, load the groups and, into an "
        "empty database, a demo school; then serve web and worker together until Ctrl-C."
    )
    # They run once .env is there: without it there is no secret key yet.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
        parser.add_argument("--port", type=_port, default=8000, help="0: any free one")
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")

    def handle(self, *, host: str, port: int, no_demo: bool, **options: Any) -> None:
        try:
            self._write_env()
            _refuse_faulty_settings()
            with _listen(host, port) as listener:
                url = _url(listener)
                if settings.STRIPE_SANDBOX:
                    _listen(
                        "127.0.0.1", settings.STRIPE_SANDBOX_PORT, "STRIPE_SANDBOX_PORT"
                    ).close()
                accounts = self._prepare(with_demo=not no_demo)
                self._announce(url, accounts)
                ended = Supervisor(_services(listener, url), settings.BASE_DIR).run()
        except KeyboardInterrupt:
            ended = "interrupted before the start"
        if ended is not None:
            raise CommandError(ended)
        self._say("Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # the services write to the same place, past our buffer

    def _write_env(self) -> None:
        """Write `.env` where there is none, and begin again with it: settings are read once."""
        path = settings.ENV_FILE
        if path is None:
            return
        text = ENV_TEMPLATE.format(key=secrets.token_urlsafe(50))
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
        except FileExistsError:
            return
        except OSError as error:
            msg = f"can't write {path}: {error.strerror}"
            raise CommandError(msg) from error
        self._say(f"Wrote {path} with a fresh secret key and DEBUG=on.")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606

    def _prepare(self, *, with_demo: bool) -> list[demo.Account]:
        """Bring database and folders into the state the services need."""
        try:
            if not settings.STORAGE_URL:
                Path(settings.MEDIA_ROOT).mkdir(parents=True, exist_ok=True)
            compile_catalogues()
            self._say("Preparing the database…")
            call_command("migrate", verbosity=0, interactive=False)
            call_command("loaddata", "groups", verbosity=0)
            accounts = demo.load() if with_demo else []
            enqueue(CANARY)  # so that /readyz need not wait for the first minute to pass
            if not settings.DEBUG:
                call_command("collectstatic", verbosity=0, interactive=False)
        except DatabaseFault as error:
            msg = f"the database ({_database_name()}) can't be used: {_first_line(error)}"
            raise CommandError(msg) from error
        except OSError as error:
            msg = f"can't write {error.filename}: {error.strerror}"
            raise CommandError(msg) from error
        finally:
            connection.close()  # the services open their own
        return accounts

    def _announce(self, url: str, accounts: list[demo.Account]) -> None:
        lines = [
            f"Parta is at {url} — Ctrl-C ends it.",
            f"  API docs  {url}api/v1/docs",
            f"  admin     {url}admin/",
            f"  probes    {url}healthz {url}readyz",
        ]
        if settings.STRIPE_SANDBOX:
            lines.append(f"  Stripe    {settings.STRIPE_API_BASE} (a stand-in)")
        if accounts:
            width = max(len(account.email) for account in accounts)
            lines += ["Demo accounts (e-mail, password, role):"]
            lines += [
                f"  {account.email:<{width}}  {account.password}  {account.role}"
                for account in accounts
            ]
        self._say("\n".join(lines))


def _services(listener: socket.socket, url: str) -> list[Service]:
    """What runs together."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py", "project.wsgi"]
    # One process: without a shared cache each would count the throttles for itself.
    bind = ["--bind", f"fd://{listener.fileno()}", "--workers", "1", "--threads", "8"]
    services = [
        Service("web", [*gunicorn, *bind], sockets=(listener.fileno(),)),
        Service("worker", [*manage, "work", "--grace", str(GRACE_SECONDS - 3)]),
    ]
    if settings.STRIPE_SANDBOX:
        webhook = ["--webhook-url", f"{url}api/v1/payments/stripe/webhook"]
        services.append(Service("Stripe sandbox", [*manage, "stripe_sandbox", *webhook]))
    return services


def _refuse_faulty_settings() -> None:
    """Raise CommandError with a line for each fault that the system checks find."""
    faults = [message for message in checks.run_checks() if message.is_serious()]
    if faults:
        lines = [f"{fault.msg} {fault.hint or ''}".strip() for fault in faults]
        raise CommandError("\n".join(lines))


def _port(text: str) -> int:
    # The resolver would take a greater number modulo 65536.
    if not text.isdecimal() or int(text) >= 2**16:
        msg = f"{text!r} is no port"
        raise ArgumentTypeError(msg)
    return int(text)


def _listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Take the port before anything else is done; the web server gets it as it is."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        msg = f"can't listen at {host} port {port}: {error.strerror}. Choose another with {option}."
        raise CommandError(msg) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _database_name() -> str:
    """Where the database is, without the password."""
    database = connection.settings_dict
    place = f"{database['HOST']}:{database['PORT']}/" if database["HOST"] else ""
    return f"{place}{database['NAME']}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

"""`manage.py up`: from a fresh clone to a running site."""

import os
import secrets
import socket
import sys
from pathlib import Path

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
# Written by `manage.py up`. .env.sample explains every variable.
# Environment variables take precedence over this file.

SECRET_KEY={key}
# For development only: shows errors to everybody, prints mail to the terminal, needs no HTTPS.
DEBUG=on

# With DEBUG, only 127.0.0.1 and localhost are served unless you list more hosts:
# ALLOWED_HOSTS=127.0.0.1,localhost,192.168.1.5
# The origin of your single-page application:
# CORS_ALLOWED_ORIGINS=http://localhost:3000
# DATABASE_URL=postgres://user:password@127.0.0.1:5432/parta
# CURRENCY=RUB
# STRIPE_API_KEY=sk_test_…
# STRIPE_WEBHOOK_SECRETS=whsec_…
"""


class Command(BaseCommand):
    help = (
        "Starts Parta: writes .env if there is none, migrates, loads the groups and, into an empty "
        "database, a demo school; then runs web server and worker together until Ctrl-C."
    )
    # They run once .env is there: without it there is no secret key yet.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
        )
        parser.add_argument(
            "--port",
            type=int,
            default=8000,
            help="port to listen on; 0 picks a free one (default: %(default)s)",
        )
        parser.add_argument(
            "--no-demo",
            action="store_true",
            help="don't load the demo school into an empty database",
        )

    def handle(self, *, host: str, port: int, no_demo: bool, **options: object) -> None:
        try:
            self._write_env()
            faults = [message for message in checks.run_checks() if message.is_serious()]
            if faults:
                lines = [f"{fault.msg} {fault.hint or ''}".strip() for fault in faults]
                raise CommandError("\n".join(lines))
            with _listen(host, port, "--port") as listener:
                if settings.STRIPE_SANDBOX:
                    # It takes the port itself; here it is only asked whether it is free.
                    port = settings.STRIPE_SANDBOX_PORT
                    _listen("127.0.0.1", port, "STRIPE_SANDBOX_PORT").close()
                accounts = self._prepare(with_demo=not no_demo)
                host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
                host = f"[{host}]" if ":" in host else host
                url = f"http://{host}:{listener.getsockname()[1]}/"
                self._announce(url, accounts)
                # Receipts, pictures and mails lead to this port unless the settings say otherwise.
                os.environ.setdefault("SITE_URL", url)
                ended = Supervisor(_services(listener, url), settings.BASE_DIR).run()
        except KeyboardInterrupt:
            ended = "Interrupted before the start."
        if ended is not None:
            raise CommandError(ended)
        self._say("Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # the services write to the same place, past our buffer

    def _write_env(self) -> None:
        """Write `.env` if there is none, and start again with it: settings are read once."""
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
            raise CommandError(f"Can't write {path}: {error.strerror}.") from error
        self._say(f"Wrote {path} with a new secret key and DEBUG=on.")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606

    def _prepare(self, *, with_demo: bool) -> list[demo.Account]:
        """Bring the database and the folders into the state the services need."""
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
            name = connection.settings_dict["NAME"]
            if server := connection.settings_dict["HOST"]:
                name = f"{server}:{connection.settings_dict['PORT']}/{name}"
            reason = str(error).partition("\n")[0]
            raise CommandError(f"Can't use the database {name}: {reason}") from error
        except OSError as error:
            raise CommandError(f"Can't write {error.filename}: {error.strerror}.") from error
        finally:
            connection.close()  # the services open their own
        return accounts

    def _announce(self, url: str, accounts: list[demo.Account]) -> None:
        self._say(
            f"Parta is at {url} — press Ctrl-C to stop.\n"
            f"  API docs  {url}api/v1/docs\n"
            f"  admin     {url}admin/\n"
            f"  probes    {url}healthz {url}readyz"
        )
        if settings.STRIPE_SANDBOX:
            self._say(f"  Stripe    {settings.STRIPE_API_BASE} (a stand-in)")
        if accounts:
            self._say("Demo accounts (e-mail, password, role):")
        for account in accounts:
            self._say(f"  {account.email:<23}  {account.password}  {account.role}")


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


def _listen(host: str, port: int, option: str) -> socket.socket:
    """Take the port before anything else is done; the web server gets it as it is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"Can't listen on {host} port {port}: {error}. Choose another with {option}."
        ) from error

"""`manage.py up`: from a fresh clone to a running site."""

import os
import secrets
import socket
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from django.conf import settings
from django.core import checks
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseFault
from django.db import connection
from django.http.request import validate_host
from django.urls import reverse

from people.models import User
from project import demo
from project.admin_site import first_account
from project.common.background.queue import enqueue
from project.common.background.tasks import CANARY
from project.mail.outbox import keeps_mails
from project.processes.supervisor import GRACE_SECONDS, Service, Supervisor
from project.translations import compile_catalogues

ENV_TEMPLATE = """\
# Written by `manage.py up`. .env.sample explains every variable.
# Environment variables take precedence over this file.

SECRET_KEY={key}
# For development only: shows errors to everybody, keeps mails for the page /outbox/ instead of sending
# them, needs no HTTPS, lets pages of any port of this machine call the API.
DEBUG=on
# Whoever opens the school sees the courses, without an account.
PUBLIC_CATALOG=on

# With DEBUG, only 127.0.0.1, localhost and [::1] are served unless you list more hosts:
# ALLOWED_HOSTS=127.0.0.1,localhost,192.168.1.5
# A front end of your own, instead of the one that ships:
# FRONTEND_URL=http://localhost:3000
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
            with _listen(host, port, "--port") as listener, _stand_in_listener() as stand_in:
                ended = self._run(host, listener, stand_in, with_demo=not no_demo)
        except KeyboardInterrupt:
            ended = "Interrupted before the start."
        if ended is not None:
            raise CommandError(ended)
        self._say("Stopped.")

    def _run(
        self, host: str, listener: socket.socket, stand_in: socket.socket | None, *, with_demo: bool
    ) -> str | None:
        """Run until Ctrl-C, or say what ended by itself."""
        accounts, has_administrator = self._prepare(with_demo=with_demo)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        url = f"http://{host}:{listener.getsockname()[1]}/"
        self._announce(url, stand_in)
        if accounts:
            self._say("Demo accounts (e-mail, password, role):")
        for one in accounts:
            self._say(f"  {one.email:<23}  {one.password}  {one.role}")
        token = ""
        if not has_administrator:
            how = "run: uv run manage.py csu"
            if host in settings.LOCAL_HOSTS:
                token = secrets.token_urlsafe(32)
                link = url + reverse("admin_first_account_link", args=[token])[1:]
                how = f"open this link on this machine:\n  {link}"
            self._say(f"There is no administrator yet. To make the first one, {how}")
        if not validate_host(host, settings.ALLOWED_HOSTS):
            self._say(f"ALLOWED_HOSTS does not name {host}: whoever asks there is refused.")
        # Links in mails, receipts and pictures lead here unless the settings say otherwise.
        os.environ["SITE_URL"] = os.environ.get("SITE_URL") or url
        if stand_in is not None:
            os.environ["STRIPE_SANDBOX_PORT"] = str(stand_in.getsockname()[1])
        return Supervisor(_services(listener, stand_in, url, token), settings.BASE_DIR).run()

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

    def _prepare(self, *, with_demo: bool) -> tuple[list[demo.Account], bool]:
        """Bring the database and the folders into the state the services need. Return the demo
        accounts, and whether there is an administrator."""
        try:
            if not settings.STORAGE_URL:
                Path(settings.MEDIA_ROOT).mkdir(parents=True, exist_ok=True)
            compile_catalogues()
            self._say("Preparing the database…")
            call_command("migrate", verbosity=0, interactive=False)
            call_command("loaddata", "groups", verbosity=0)
            accounts = demo.load() if with_demo else []
            has_administrator = User.objects.administrators().exists()
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
        return accounts, has_administrator

    def _announce(self, url: str, stand_in: socket.socket | None) -> None:
        self._say(
            f"Parta is at {url} — press Ctrl-C to stop.\n"
            f"  admin     {url}admin/\n"
            f"  API docs  {url}api/v1/docs"
        )
        if keeps_mails():
            self._say(f"  outbox    {url}outbox/ (mails, none of which is sent)")
        if stand_in is not None:
            port = stand_in.getsockname()[1]
            usual = settings.STRIPE_SANDBOX_PORT
            taken = "" if port == usual else f"; port {usual} is taken"
            self._say(f"  Stripe    http://127.0.0.1:{port}/ (a stand-in{taken})")
        self._say(f"  probes    {url}healthz {url}readyz")


def _services(
    listener: socket.socket, stand_in: socket.socket | None, url: str, token: str
) -> list[Service]:
    """What runs together. The token of the first account is known to the web alone."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py", "project.wsgi"]
    # One process: without a shared cache each would count the throttles for itself.
    bind = ["--bind", f"fd://{listener.fileno()}", "--workers", "1", "--threads", "8"]
    services = [
        Service(
            "web",
            [*gunicorn, *bind],
            sockets=(listener.fileno(),),
            variables={first_account.VARIABLE: token},
        ),
        Service("worker", [*manage, "work", "--grace", str(GRACE_SECONDS - 3)]),
    ]
    if stand_in is not None:
        fd = stand_in.fileno()
        options = ["--fd", str(fd), "--webhook-url", f"{url}api/v1/payments/stripe/webhook"]
        command = [*manage, "stripe_sandbox", *options]
        services.append(Service("Stripe sandbox", command, sockets=(fd,)))
    return services


def _listen(host: str, port: int, option: str) -> socket.socket:
    """Take the port before anything else is done; the service gets it as it is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(error).partition(" (while")[0].rstrip(".")
        raise CommandError(
            f"Can't listen on {host} port {port}: {reason}. Choose another with {option}."
        ) from error


def _stand_in_listener() -> AbstractContextManager[socket.socket | None]:
    """The port of the stand-in for Stripe: that which the operator chose, or else the first free one, as
    nobody has to know it."""
    if not settings.STRIPE_SANDBOX:
        return nullcontext()
    port = settings.STRIPE_SANDBOX_PORT
    if not os.environ.get("STRIPE_SANDBOX_PORT"):
        for candidate in range(port, port + 20):
            with suppress(OSError):
                return socket.create_server(("127.0.0.1", candidate))
    return _listen("127.0.0.1", port, "STRIPE_SANDBOX_PORT")

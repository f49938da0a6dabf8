"""`manage.py stripe_sandbox`: a Stripe to develop against, on this machine only."""

import socket
from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payments.stripe_sandbox.server import SandboxServer

WEBHOOK_URL = "http://127.0.0.1:8000/api/v1/payments/stripe/webhook"


class Command(BaseCommand):
    help = "Run a stand-in for Stripe, for development without an account. Loopback only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.STRIPE_SANDBOX_PORT)
        parser.add_argument(
            "--fd", type=int, help="A socket that listens already on the host, by its number."
        )
        parser.add_argument("--webhook-url", default=WEBHOOK_URL)
        parser.add_argument(
            "--delay", type=int, default=10, help="Seconds until a delayed payment is settled."
        )
        parser.add_argument(
            "--memory",
            type=Path,
            default=settings.BASE_DIR / "stripe_sandbox.json",
            help="File that keeps the objects: the site refers to them after a restart.",
        )

    def handle(
        self,
        *,
        host: str,
        port: int,
        fd: int | None,
        webhook_url: str,
        delay: int,
        memory: Path,
        **options: object,
    ) -> None:
        if not settings.DEBUG:
            raise CommandError("The sandbox is for development: it runs with DEBUG on only.")
        if not settings.STRIPE_SANDBOX:
            raise CommandError("STRIPE_API_KEY is set: the site speaks to Stripe itself.")
        try:
            server = SandboxServer(
                address=(host, port),
                listener=None if fd is None else socket.socket(fileno=fd),
                api_key=settings.STRIPE_API_KEY,
                webhook_secret=settings.STRIPE_WEBHOOK_SECRETS[0],
                webhook_url=webhook_url,
                delay=delay,
                memory=memory,
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        with server:
            self.stdout.write(f"Stripe sandbox at {server.base_url}, webhooks to {webhook_url}")
            try:
                server.stopping.wait()
            except KeyboardInterrupt:
                self.stdout.write("")

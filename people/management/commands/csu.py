"""`manage.py csu --email a@b.example`: creates the superuser, and asks for what neither an option nor
the environment gives."""

import os
from argparse import ArgumentParser
from getpass import getpass

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from people.models import User
from people.services import accounts, passwords
from project.common.errors import DomainError


class Command(BaseCommand):
    help = (
        "Create the superuser. A second run changes nothing, unless --reset-password is given. "
        "Reads DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", help="Email to log in with.")
        parser.add_argument(
            "--password",
            help="Better left out, as other users of this machine can see it: you will be asked.",
        )
        parser.add_argument(
            "--reset-password",
            action="store_true",
            help="Set this password for an existing superuser, and revoke all its tokens.",
        )

    def handle(
        self,
        *args: object,
        email: str | None,
        password: str | None,
        reset_password: bool,
        **options: object,
    ) -> None:
        email = email or os.environ.get("DJANGO_SUPERUSER_EMAIL") or _ask("Email: ")
        existing = User.objects.by_email(email).first()
        if existing is not None and not existing.is_superuser:
            raise CommandError(
                f"{existing.email} is an ordinary account; nothing was changed. Use another "
                "email, or let an administrator make it a superuser in the admin."
            )
        if existing is not None and not reset_password:
            self.stdout.write(f"{existing.email} is already a superuser; nothing was changed.")
            return
        password = password or os.environ.get("DJANGO_SUPERUSER_PASSWORD")
        if not password:
            password = _ask("Password: ", hidden=True)
            if password != _ask("Password (again): ", hidden=True):
                raise CommandError("The two passwords don't match.")
        try:
            if existing is None:
                user = accounts.create_administrator(email=email, password=password, profile={})
            else:
                user = passwords.reset_password(user=existing, password=password)
        except ValidationError as error:
            found = error.message_dict.items()
            lines = (f"{field}: {text}" for field, texts in found for text in texts)
            raise CommandError("\n".join(lines)) from None
        except DomainError as error:
            raise CommandError(str(error)) from None
        done = "Created the superuser" if existing is None else "Set a new password for"
        self.stdout.write(self.style.SUCCESS(f"{done} {user.email}."))
        if not user.is_active:
            self.stdout.write("The account is still blocked: unblock it in the admin.")


def _ask(prompt: str, *, hidden: bool = False) -> str:
    try:
        answer = getpass(prompt) if hidden else input(prompt)
    except (EOFError, KeyboardInterrupt):
        raise CommandError("Nothing was entered. Give --email and --password.") from None
    if not answer.strip():
        raise CommandError("Nothing was entered.")
    return answer

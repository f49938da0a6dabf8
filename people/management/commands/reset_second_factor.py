"""`manage.py reset_second_factor a@b.example`: for the administrator who lost the device when no other
administrator is left."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from people.models import User
from people.services import second_factor
from project.common.errors import DomainError


class Command(BaseCommand):
    help = (
        "Take away the device and the recovery codes of a person who has lost them, and log them out "
        "everywhere. They are told by mail. The password stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="Email of the account.")

    def handle(self, *args: object, email: str, **options: object) -> None:
        user = User.objects.by_email(email).first()
        if user is None:
            raise CommandError("There is no account with this email.")
        try:
            second_factor.reset(user=user, by=None)
        except DomainError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(self.style.SUCCESS(f"{user.email} logs in with the password alone now."))

"""`manage.py find_duplicate_accounts`: accounts of one mailbox, for staff to settle."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from people.models import User
from people.services.mailboxes import Accounts, bring_into_form, told


class Command(BaseCommand):
    help = (
        "Brings e-mail addresses into their one form, and lists the accounts that stay as they are "
        "because they share a mailbox. docs/operations.md says how to settle that; run it again then."
    )

    def handle(self, *args: object, **options: object) -> None:
        shared = bring_into_form(User.objects.all())
        for accounts in shared:
            self.tell(accounts)
        if shared:
            raise CommandError(f"Mailboxes with more than one account: {len(shared)}.")
        self.stdout.write("Each mailbox is one account.")

    def tell(self, accounts: Accounts) -> None:
        """Who they are, and what they leave behind."""
        self.stdout.write(told(accounts))
        for person in User.objects.filter(pk__in=accounts).order_by("pk"):
            seen = person.last_login and f"{timezone.localtime(person.last_login):%Y-%m-%d}"
            facts = [
                person.get_full_name() or "no name",
                "active" if person.is_active else person.get_blocked_reason_display(),
                f"joined {timezone.localtime(person.date_joined):%Y-%m-%d}",
                f"last log-in {seen or 'never'}",
                f"{person.payments.count()} payments",
                f"{person.courses.count()} courses",
            ]
            self.stdout.write(f"  {person.pk}: {', '.join(map(str, facts))}")

"""`manage.py block_inactive`: the inactivity sweep by hand."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from people.models import User
from people.services.inactivity import sweep, warning_ahead


class Command(BaseCommand):
    help = (
        "Blocks accounts that have not been used for INACTIVITY_PERIOD, and warns those that will be "
        "blocked within a week. Runs automatically as INACTIVITY_SWEEP_CRON says."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only list who would be blocked within a week, and when",
        )

    def handle(self, *args: object, dry_run: bool, **options: object) -> None:
        if dry_run:
            self.list_people()
            return
        result = sweep()
        self.stdout.write(f"{result.blocked} blocked, {result.warned} warned")

    def list_people(self) -> None:
        """One line per account, who is due first coming first."""
        now = timezone.now()
        period = settings.INACTIVITY_PERIOD
        people = User.objects.not_seen_since(now - period + warning_ahead())
        count = 0
        for person in people.order_by("seen_at", "pk").iterator(chunk_size=1000):
            last_seen = timezone.localtime(person.last_seen)
            moment = timezone.localtime(max(person.last_seen + period, now))
            self.stdout.write(
                f"{moment:%Y-%m-%d %H:%M}  {person.email}  last seen {last_seen:%Y-%m-%d %H:%M}"
            )
            count += moment <= now
        self.stdout.write(f"{count} to be blocked by a sweep now, nothing changed")

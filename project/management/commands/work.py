"""`manage.py work`: background work, as a service."""

import sys

from django.conf import settings
from django.core.management import CommandError
from django.core.management.base import BaseCommand, CommandParser

from project.processes.worker_guard import PATIENCE, keep_working


class Command(BaseCommand):
    help = (
        "Do the background work: run the worker cluster (qcluster), and replace it with a fresh one "
        "when it hangs or dies. SIGTERM lets its workers finish their tasks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--patience",
            type=float,
            default=PATIENCE,
            help="seconds without any finished task after which it hangs (default: %(default)s)",
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=170,
            help="seconds that the workers have to finish their tasks (default: %(default)s)",
        )

    def handle(self, *, patience: float, grace: float, **options: object) -> None:
        folder = settings.BASE_DIR
        command = [sys.executable, str(folder / "manage.py"), "qcluster", "--skip-checks"]
        ended = keep_working(command, folder, patience=patience, grace=grace)
        if ended is not None:
            raise CommandError(ended)

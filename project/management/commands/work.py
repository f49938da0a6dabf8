"""`manage.py work`: background work, as a service."""

import sys

from django.conf import settings
from django.core.management import CommandError
from django.core.management.base import BaseCommand, CommandParser

from project.processes.worker_guard import PATIENCE, keep_working


class Command(BaseCommand):
    help = (
        "Does the background work: runs the worker cluster (qcluster) and replaces it with a new one "
        "when it hangs or dies. SIGTERM lets its workers finish their tasks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--patience",
            type=float,
            default=PATIENCE,
            help="seconds without a finished task before it is replaced (default: %(default)s)",
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=170,
            help="seconds the workers have to finish their tasks (default: %(default)s)",
        )

    def handle(self, *, patience: float, grace: float, **options: object) -> None:
        folder = settings.BASE_DIR
        command = [sys.executable, str(folder / "manage.py"), "qcluster", "--skip-checks"]
        ended = keep_working(command, folder, patience=patience, grace=grace)
        if ended is not None:
            raise CommandError(ended)

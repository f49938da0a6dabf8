"""Write docs/personal-data.md."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser

from people.personal_data.document import document


class Command(BaseCommand):
    help = "Writes what is kept of people, and what becomes of it, to standard output or to a file."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, help="file to write to (default: standard output)"
        )

    def handle(self, *, file: Path | None, **options: object) -> None:
        if file is None:
            self.stdout.write(document(), ending="")
        else:
            file.write_text(document())

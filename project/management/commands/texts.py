"""`manage.py texts texts.csv`: what a person who reads the translation through needs."""

import csv
from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser

from project.translations import side_by_side


class Command(BaseCommand):
    help = (
        "Writes all texts in all languages side by side, with where they stand, as CSV: those of Parta, those of "
        "the admin's theme, and those of Django that are said in other words here."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, help="file to write to (default: standard output)"
        )

    def handle(self, *, file: Path | None, **options: object) -> None:
        if file is None:
            csv.writer(self.stdout, lineterminator="\n").writerows(side_by_side())
            return
        # With the mark by which spreadsheets know UTF-8.
        with file.open("w", encoding="utf-8-sig", newline="") as table:
            csv.writer(table).writerows(side_by_side())

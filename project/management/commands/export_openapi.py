"""Write the OpenAPI document, for those who generate clients from it."""

import json
from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser

from project.api import api
from project.common.api.openapi import outline


class Command(BaseCommand):
    help = "Writes the OpenAPI document to standard output or to a file."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, help="file to write to (default: standard output)"
        )
        parser.add_argument(
            "--outline",
            action="store_true",
            help="write an outline of a few lines for each operation, as in project/tests/openapi_outline.txt",
        )

    def handle(self, *, file: Path | None, **options: object) -> None:
        document = api.get_openapi_schema()
        text = outline(document) if options["outline"] else f"{json.dumps(document, indent=2)}\n"
        if file is None:
            self.stdout.write(text, ending="")
        else:
            file.write_text(text)

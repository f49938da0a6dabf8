"""Load payments from other books, from a fixture or a table."""

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from tqdm import tqdm

from payments.services.importing import files, loading
from payments.services.importing.report import ImportReport
from payments.services.importing.rows import Row

DEFAULT_FILE = settings.BASE_DIR / "fixtures" / "payments.json"


class Command(BaseCommand):
    """All rows or none: a bad row is named with its number and reason, and the exit code is 1."""

    help = """\
Load payments from a JSON fixture or a table, in one transaction: all of them or none.

A .json file is a list of {"model": "payments.payment", "fields": {...}}, as loaddata takes it;
"payer" is an id or ["e-mail"]; a "pk" is ignored, because the book gives its own numbers.
A table is .csv (commas, semicolons or tabs; UTF-8, UTF-16 or Windows-1251) or .xlsx (the sheet
"Payments", or the first one). Its columns may be in any order and are called as here, or as in
the export of the admin, in any language:
  external_id  required: the number in the other book. What is in the book already is left alone,
               so that the same file can be loaded again.
  user         required: e-mail or id
  course_id, lesson_id   exactly one of them; none for what was deleted since, with its title
  title        default: the present one of the course or lesson
  amount       required: 1990, 1990.00 or 1 990,00
  currency     required: the one of this installation
  method       required: cash, transfer, stripe
  status       required: pending, processing, paid, failed, expired, cancelled, refunded; orders
               that are open at Stripe are left out
  paid_at      for paid and refunded: 2026-09-01T12:00:00+03:00 or 01.09.2026; without an offset
               it is a time in the school's time zone
  created_at   default: paid_at, or now
  refunds      what was given back on which days: 500.00 (2026-11-02); 200.00 (2026-11-20, access
               ended); default for refunded: all of it, on the day of paid_at
  disputes     what the bank took back, likewise
  refunded_amount   checked against the refunds
  bank_reference    the number of the transfer at the bank
"""

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=DEFAULT_FILE, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true", help="check all rows, load none")

    def handle(self, *, file: Path, dry_run: bool, **options: object) -> None:
        try:
            with file.open("rb") as source:
                found = files.open_source(source, file.name)
                rows = _with_progress(found.rows, source)
                report = (
                    loading.check_rows(rows=rows) if dry_run else loading.import_payments(rows=rows)
                )
        except (OSError, files.UnreadableFile, loading.PaymentsChanged, DatabaseError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CommandError(f"{file}: {reason}") from error
        self._tell(report, found, file, dry_run=dry_run)

    def _tell(
        self, report: ImportReport, found: files.Source, file: Path, *, dry_run: bool
    ) -> None:
        if report.is_refused:
            for reason in report.refusals():
                self.stderr.write(reason)
            of_demo = _("The default file is of the demo school: `loaddata demo` loads that first.")
            hint = f" {of_demo}" if file == DEFAULT_FILE else ""
            raise CommandError(_("Nothing was loaded.") + hint)
        for warning in [*found.warnings(), *report.warnings(), *report.differences_in_words()]:
            self.stdout.write(warning)
        message = ngettext("%(count)s payment loaded", "%(count)s payments loaded", report.new)
        if dry_run:
            message = ngettext(
                "%(count)s payment would be loaded",
                "%(count)s payments would be loaded",
                report.new,
            )
        known = _("%(count)s already recorded.") % {"count": report.known}
        self.stdout.write(f"{message % {'count': report.new}}, {known}")


def _with_progress(rows: Iterator[Row], source: BinaryIO) -> Iterator[Row]:
    """Show on a terminal how much of the file has been read."""
    size = os.fstat(source.fileno()).st_size
    with tqdm(total=size, unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        for row in rows:
            yield row
            bar.update(source.tell() - bar.n)

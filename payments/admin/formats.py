"""Tables that payments are imported from, read by the reader of `manage.py load_payments`."""

import csv
import io
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
from django.utils.translation import gettext as _
from import_export.formats.base_formats import CSV, XLSX
from openpyxl.utils.exceptions import InvalidFileException

from payments.services.importing import files
from payments.services.importing.rows import Row

# What comes of files that are no XLSX, are damaged, or want a password.
DAMAGED = (
    BadZipFile,
    InvalidFileException,
    ParseError,
    zlib.error,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
# More than a request should do; the command takes any number.
MOST_ROWS = 10_000


class RowsFromCSV(CSV):  # type: ignore[misc]
    """Bytes, not text: the reader says where a byte is wrong, and knows semicolons."""

    def get_title(self) -> str:
        return "csv"

    def is_binary(self) -> bool:
        return True

    def get_read_mode(self) -> str:
        return "rb"

    def create_dataset(self, in_stream: bytes) -> list[Row]:
        return _limited(files.read_rows(io.BytesIO(in_stream), "table.csv"))


class RowsFromXLSX(XLSX):  # type: ignore[misc]
    """The first sheet, cell by cell, as if it had been saved as CSV."""

    def create_dataset(self, in_stream: bytes) -> list[Row]:
        text = io.StringIO()
        table = csv.writer(text)
        try:
            book = openpyxl.load_workbook(io.BytesIO(in_stream), read_only=True, data_only=True)
            # One more than may be: the reader counts them. Formatted, empty lines follow many a table.
            for line in book.worksheets[0].iter_rows(values_only=True, max_row=2 * MOST_ROWS):
                cells = [_written(value) for value in line]
                if any(cells):
                    table.writerow(cells)
        except DAMAGED as error:
            raise files.UnreadableFile(_("This is not an XLSX file.")) from error
        return _limited(files.read_rows(io.BytesIO(text.getvalue().encode()), "table.csv"))


def _limited(rows: Iterator[Row]) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        if len(found) == MOST_ROWS:
            message = _("There are more than %d rows: use manage.py load_payments.")
            raise files.UnreadableFile(message % MOST_ROWS)
        found.append(row)
    return found


def _written(value: object) -> str:
    """A cell as it would stand in a CSV file."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)

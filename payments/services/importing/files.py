"""Reading payments row by row from JSON or CSV, so that a file of any size needs little memory."""

import csv
import itertools
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import BinaryIO

from django.utils.translation import gettext as _

from payments.services.importing.json_list import BrokenJSON, JSONList
from payments.services.importing.rows import COLUMNS, REQUIRED_COLUMNS, Row

TARGET_COLUMNS = ("course_id", "lesson_id")
LONGEST_LINE = 1024 * 1024
# The fields of a fixture that have another name as a column.
COLUMN_OF = {"payer": "user", "course": "course_id", "lesson": "lesson_id"}
FIELDS = (COLUMNS.keys() - COLUMN_OF.values()) | COLUMN_OF.keys()
MODEL = "payments.payment"


class UnreadableFile(Exception):
    """Says, in words for people, why a file has no rows that could be read."""


def read_rows(source: BinaryIO, name: str) -> Iterator[Row]:
    """Yield the rows of a file; the end of its name says what it is.

    Raises UnreadableFile for what is neither a fixture (`.json`) nor a table (`.csv`). Where a
    file is broken further down, its last row has a `problem`.
    """
    if name.lower().endswith(".json"):
        yield from _json_rows(source)
    elif name.lower().endswith(".csv"):
        yield from _csv_rows(source)
    else:
        raise UnreadableFile(_("The file name must end in .json or .csv."))


def _json_rows(source: BinaryIO) -> Iterator[Row]:
    payments = JSONList(source)
    if not payments.is_one():
        raise UnreadableFile(_("This is not a list of payments in JSON and UTF-8."))
    number = 0
    try:
        for number, item in enumerate(payments.items(), start=1):
            fields: dict[str, object] | None = (
                item.get("fields") if isinstance(item, dict) else None
            )
            if not isinstance(fields, dict) or str(item.get("model")).lower() != MODEL:
                problem = _('this is not {"model": "%s", "fields": {…}}') % MODEL
                yield Row(number, problem=problem)
            elif unknown := fields.keys() - FIELDS:
                yield Row(number, problem=_("unknown field: %s") % _listed(unknown))
            else:
                named = {COLUMN_OF.get(name, name): value for name, value in fields.items()}
                yield Row(number, named)
    except BrokenJSON as error:
        yield Row(number + 1, problem=_broken_here(error))


def _csv_rows(source: BinaryIO) -> Iterator[Row]:
    lines = _decoded_lines(source)
    try:
        first = next(lines, "")
        # Spreadsheets of countries with a decimal comma write semicolons.
        delimiter = ";" if first.count(";") > first.count(",") else ","
        reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFile(_("The first line can't be read: %s") % _reason(error)) from None
    _check_header(header)
    number, line = 0, reader.line_num + 1
    try:
        for record in reader:
            if any(value.strip() for value in record):
                number += 1
                if len(record) == len(header):
                    yield Row(number, dict(zip(header, record, strict=True)), line)
                else:
                    problem = _("there are %(found)s values for %(expected)s columns")
                    problem %= {"found": len(record), "expected": len(header)}
                    yield Row(number, line=line, problem=problem)
            line = reader.line_num + 1
    except (csv.Error, UnicodeDecodeError) as error:
        yield Row(number + 1, line=line, problem=_broken_here(error))


def _decoded_lines(source: BinaryIO) -> Iterator[str]:
    """Line by line, so that a wrong byte is reported where it is."""
    for number in itertools.count():
        line = source.readline(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE:
            raise csv.Error(_("the line is too long"))
        yield (line.removeprefix(BOM_UTF8) if number == 0 else line).decode()


def _check_header(header: list[str]) -> None:
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    if not set(TARGET_COLUMNS) & set(header):
        missing.append("/".join(TARGET_COLUMNS))
    if missing:
        raise UnreadableFile(_("Missing columns: %s.") % ", ".join(missing))
    if unknown := set(header) - COLUMNS.keys():
        raise UnreadableFile(_("Unknown columns: %s.") % _listed(unknown))
    if len(set(header)) < len(header):
        raise UnreadableFile(_("A column appears twice."))


def _listed(names: set[str]) -> str:
    return ", ".join(ascii(name[:40]) for name in sorted(names)[:5])


def _broken_here(error: Exception) -> str:
    return _("the file is broken here: %s") % _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return _("this is not UTF-8")
    return str(error)

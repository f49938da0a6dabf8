"""Reading payments row by row from JSON or a table, so that a file of any size needs little memory."""

import csv
import io
import itertools
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payments.columns import COLUMNS, names_of_headers, plain_header
from payments.services.importing import encodings
from payments.services.importing.json_list import BrokenJSON, JSONList
from payments.services.importing.rows import REQUIRED_COLUMNS, Row

if TYPE_CHECKING:
    from _csv import Reader as CSVReader

TARGET_COLUMNS = ("course_id", "lesson_id")
LONGEST_LINE = 1024 * 1024
# Titles, periods and empty lines that people and programs write above the names of the columns.
MOST_LINES_ABOVE = 20
DELIMITERS = ",;\t"
# The fields of a fixture that have another name as a column.
COLUMN_OF = {"payer": "user", "course": "course_id", "lesson": "lesson_id"}
FIELDS = ({column.name for column in COLUMNS} - set(COLUMN_OF.values())) | COLUMN_OF.keys()
MODEL = "payments.payment"
# How the line below a table begins.
TOTAL = re.compile(r"(итого|всего|total|grand total)\b", re.IGNORECASE)
# Zip archives, and what Excel wrote before 2007 and still writes with a password.
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class UnreadableFile(Exception):
    """Says, in words for people, why a file has no rows that could be read."""


@dataclass
class Source:
    """The rows of a file, and what was taken for what while they were read."""

    rows: Iterator[Row]
    # What kind of file it is: an encoding and a separator, or the sheet of a workbook.
    kind: str
    # How many lines with totals were passed over.
    totals: int = field(default=0)

    def warnings(self) -> Iterator[str]:
        if count := self.totals:
            text = ngettext(
                "%d line is a total and was passed over.",
                "%d lines are totals and were passed over.",
                count,
            )
            yield text % count


def open_source(source: BinaryIO, name: str, *, largest: int | None = None) -> Source:
    """Return the rows of a file; the end of its name says whether it is a fixture (`.json`) or a table.

    `largest` is how many bytes a workbook may have unpacked. Raises UnreadableFile for what is
    neither. Where a file is broken further down, its last row has a `problem`.
    """
    ending = name.lower().rpartition(".")[2]
    if ending == "json":
        return Source(_json_rows(source), "JSON")
    if ending not in {"csv", "txt", "tsv", "xlsx", "xlsm", "xls"}:
        raise UnreadableFile(_("The file name must end in .json, .csv or .xlsx."))
    return open_table(source, largest=largest)


def open_table(source: BinaryIO, *, largest: int | None = None) -> Source:
    """Return the rows of a table, whatever it is called. Raises UnreadableFile."""
    start = source.read(len(OLE)) if source.seekable() else b""
    if start:
        source.seek(0)
    if start == OLE:
        raise UnreadableFile(
            _(
                "This is a workbook of Excel before 2007, or one with a password. Save it as .xlsx without a password."
            )
        )
    if start.startswith(ZIP):
        from payments.services.importing import workbooks  # noqa: PLC0415 - openpyxl takes long to load

        return workbooks.open_workbook(source, largest=largest)
    return _csv_source(source)


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
                yield Row(number, problem=_("unknown field: %s") % listed(unknown))
            else:
                named = {COLUMN_OF.get(name, name): value for name, value in fields.items()}
                yield Row(number, named)
    except BrokenJSON as error:
        yield Row(number + 1, problem=_broken_here(error))


def _csv_source(source: BinaryIO) -> Source:
    encoding = encodings.encoding_of(source)
    head = _Head(_decoded_lines(source, encoding))
    record, end, delimiter = _names_in(head)
    header = header_of(record)
    separator = {",": _("commas"), ";": _("semicolons"), "\t": _("tabs")}[delimiter]
    name = encodings.NAMES.get(encoding, "UTF-16")
    result = Source(iter(()), f"CSV, {name}, {separator}")
    lines = itertools.chain(head.taken[end:], head.lines)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    result.rows = _csv_rows(rows, header, end, result, names_of(header, record))
    return result


def _names_in(head: "_Head") -> tuple[list[str], int, str]:
    """The cells of the line that names the most columns, where it ends, and what separates them."""
    best, found = 0, (list[str](), 0, ",")
    first_error = ""
    for start in range(MOST_LINES_ABOVE):
        for delimiter in DELIMITERS:
            reader = csv.reader(head.lines_from(start), delimiter=delimiter, strict=True)
            try:
                record = next(reader, [])
            except (csv.Error, UnicodeDecodeError) as error:
                first_error = first_error or _reason(error)
                continue
            if (known := known_names(record)) > best:
                best, found = known, (record, start + reader.line_num, delimiter)
        if best >= len(REQUIRED_COLUMNS) or len(head.taken) <= start:
            break
    if not best and first_error:
        raise UnreadableFile(_("The first line can't be read: %s") % first_error)
    return found


class _Head:
    """The lines that were looked at in search of the names of the columns, and the others."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.taken: list[str] = []

    def lines_from(self, start: int) -> Iterator[str]:
        for number in itertools.count(start):
            while number >= len(self.taken):
                line = next(self.lines, None)
                if line is None:
                    return
                self.taken.append(line)
            yield self.taken[number]


def _csv_rows(
    reader: "CSVReader",
    header: list[str],
    above: int,
    result: Source,
    names: dict[str, str],
) -> Iterator[Row]:
    number, line = 0, above + 1
    width = len(header)
    try:
        for record in reader:
            if any(value.strip() for value in record):
                if len(record) > width and not any(value.strip() for value in record[width:]):
                    del record[width:]
                if len(record) == width:
                    values = dict(zip(header, record, strict=True))
                    if is_total(record, values):
                        result.totals += 1
                    else:
                        number += 1
                        yield Row(number, values, line, names=names)
                else:
                    number += 1
                    problem = _("there are %(found)s values for %(expected)s columns")
                    problem %= {"found": len(record), "expected": width}
                    yield Row(number, line=line, problem=problem)
            line = above + reader.line_num + 1
    except (csv.Error, UnicodeDecodeError) as error:
        yield Row(number + 1, line=line, problem=_broken_here(error))


def _decoded_lines(source: BinaryIO, encoding: str) -> Iterator[str]:
    """Line by line, so that a wrong byte is reported where it is."""
    if encoding not in {encodings.UTF_8, encodings.WINDOWS_1251}:
        text = io.TextIOWrapper(source, encoding, newline="")
        try:
            while line := text.readline(LONGEST_LINE):
                _refuse_longest(line)
                yield line.removeprefix("\ufeff")
        finally:
            if not source.closed:
                text.detach()
        return
    for number in itertools.count():
        content = source.readline(LONGEST_LINE)
        if not content:
            return
        _refuse_longest(content)
        yield (content.removeprefix(BOM_UTF8) if number == 0 else content).decode(encoding)


def _refuse_longest(line: str | bytes) -> None:
    if len(line) == LONGEST_LINE:
        raise csv.Error(_("the line is too long"))


def known_names(cells: Sequence[str]) -> int:
    """How many columns a line names."""
    names = names_of_headers()
    return len({names[plain] for cell in cells if (plain := plain_header(cell)) in names})


def header_of(cells: Sequence[str]) -> list[str]:
    """The columns that a line names; "" for a cell without a name. Raises UnreadableFile."""
    names = names_of_headers()
    header = [names.get(plain_header(cell), "") for cell in cells]
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    if not set(TARGET_COLUMNS) & set(header):
        missing.append("/".join(TARGET_COLUMNS))
    if missing:
        raise UnreadableFile(_("Missing columns: %s.") % ", ".join(map(_called, missing)))
    nameless = zip(header, cells, strict=True)
    if unknown := {cell.strip() for name, cell in nameless if not name and cell.strip()}:
        raise UnreadableFile(_("Unknown columns: %s.") % listed(unknown))
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise UnreadableFile(_("A column appears twice: %s.") % listed(twice))
    return header


def names_of(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """The columns as the file calls them."""
    return {name: " ".join(cell.split()) for name, cell in zip(header, cells, strict=True) if name}


def _called(name: str) -> str:
    """A column as it is called in tables, technical and in the reader's language."""
    labels = {column.name: column.label for column in COLUMNS}
    return f"{name} ({labels[name]})" if name in labels else name


def is_total(cells: Sequence[object], values: Mapping[str, object]) -> bool:
    """Say whether the line is not a payment but the sum below them."""
    if values.get("user"):
        return False
    first = next((cell for cell in cells if cell is not None and str(cell).strip()), "")
    return isinstance(first, str) and TOTAL.match(first.strip()) is not None


def listed(names: set[str]) -> str:
    shortened = (name[:40] for name in sorted(names)[:5])
    return ", ".join(f"'{name}'" if name.isprintable() else ascii(name) for name in shortened)


def _broken_here(error: Exception) -> str:
    return _("the file is broken here: %s") % _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        name = "UTF-16" if "16" in error.encoding else "UTF-8"
        return _("this is not %s") % name
    return str(error)

"""Reading payments from a workbook (.xlsx): the values that its cells show, row by row."""

import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.exceptions import InvalidFileException

from payments.models import Payment
from payments.services.importing.files import (
    MOST_LINES_ABOVE,
    Source,
    UnreadableFile,
    header_of,
    is_total,
    known_names,
    names_of,
)
from payments.services.importing.rows import REQUIRED_COLUMNS, Row

# What comes of files that are no workbooks, are damaged, or want a password.
DAMAGED = (
    BadZipFile, InvalidFileException, ParseError, zlib.error, EOFError, LookupError, OSError,
    RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError, OverflowError,
)  # fmt: skip
# Unpacked; a workbook of the most rows that a sheet has is about as large.
LARGEST = 1024 * 1024 * 1024
MOST_ROWS, MOST_COLUMNS = 1_048_576, 200
TIMES = frozenset({"paid_at", "created_at"})
# Days as spreadsheets count them, from 1954 to 2119.
SERIALS = range(20_000, 80_000)
# More digits than spreadsheets keep of a number.
TOO_LONG = 10**15
ERROR = re.compile(r"#(?:REF!|N/A|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!)")
FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")


# The number of a line of a sheet, what its cells show, and the formulas behind them.
type Line = tuple[int, Sequence[object], Sequence[object]]


class _Broken(Exception):
    """Says what is wrong with a cell."""


def open_workbook(source: BinaryIO, *, largest: int | None = None) -> Source:
    """Return the rows of the sheet that is called as payments are, or of the first one that is seen.

    `largest` is how many bytes it may have unpacked. Raises UnreadableFile.
    """
    try:
        with ZipFile(source) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > (largest or LARGEST):
                raise UnreadableFile(_("The workbook is too large. Save the rows as CSV."))
            has_formulas = any(_has_formulas(archive, part.filename) for part in parts)
        book = _book(source, data_only=True)
        sheet = _sheet_of(book)
        formulas = _sheet_of(_book(source, data_only=False)) if has_formulas else None
        kind = _("XLSX, sheet “%s”") % sheet.title
        result = Source(iter(()), kind)
        lines = _lines(sheet, formulas)
        cells = _header(lines)
    except DAMAGED as error:
        raise UnreadableFile(_("This is not an XLSX file.")) from error
    header = header_of(cells)
    result.rows = _rows(lines, header, names_of(header, cells), result, book.epoch)
    return result


def _has_formulas(archive: ZipFile, name: str) -> bool:
    if not name.lower().startswith("xl/worksheets/"):
        return False
    with archive.open(name) as sheet:
        end = b""
        while chunk := sheet.read(1024 * 1024):
            if FORMULA.search(end + chunk):
                return True
            end = chunk[-20:]
    return False


def _book(source: BinaryIO, *, data_only: bool) -> Any:
    source.seek(0)
    reader = ExcelReader(source, read_only=True, data_only=data_only, keep_links=False)
    # 1C names the part of strings otherwise than its list of parts says.
    parts = {name.lower(): name for name in reader.archive.namelist()}
    expected = "xl/sharedStrings.xml"
    if expected not in reader.valid_files and expected.lower() in parts:
        reader.archive.NameToInfo[expected] = reader.archive.getinfo(parts[expected.lower()])
    reader.read()
    return reader.wb


def _sheet_of(book: Any) -> Any:
    names = set()
    for code, _language in settings.LANGUAGES:
        with override(code):
            names.add(str(Payment._meta.verbose_name_plural).casefold())
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if not visible:
        raise UnreadableFile(_("The workbook has no sheet that is seen."))
    called = (sheet for sheet in visible if sheet.title.strip().casefold() in names)
    return next(called, visible[0])


def _lines(sheet: Any, formulas: Any) -> Iterator[Line]:
    """The lines that are not empty, by their numbers: what is shown, and the formulas behind it."""
    how = {"max_row": MOST_ROWS, "max_col": MOST_COLUMNS, "values_only": True}
    behind = formulas.iter_rows(**how) if formulas is not None else None
    for number, cells in enumerate(sheet.iter_rows(**how), start=1):
        hidden = next(behind, ()) if behind is not None else ()
        # A cell that somebody touched far below makes a million of them.
        if cells.count(None) == len(cells) and hidden.count(None) == len(hidden):
            continue
        if any(_is_something(cell) for cell in cells) or any(map(_is_something, hidden)):
            yield number, cells, hidden


def _is_something(cell: object) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _header(lines: Iterator[Line]) -> list[str]:
    """The line that names the most columns; all up to it are taken."""
    best, found = -1, list[str]()
    for _number, cells, _hidden in itertools.islice(lines, MOST_LINES_ABOVE):
        texts = ["" if cell is None else str(cell) for cell in cells]
        if (known := known_names(texts)) > best:
            best, found = known, texts
        if best >= len(REQUIRED_COLUMNS):
            break
    return found


def _rows(
    lines: Iterator[Line],
    header: list[str],
    names: dict[str, str],
    result: Source,
    epoch: datetime,
) -> Iterator[Row]:
    number = line = 0
    try:
        for line, cells, hidden in lines:
            values: dict[str, object] = {}
            problem = ""
            for place, (name, cell) in enumerate(zip(header, cells, strict=False)):
                behind = hidden[place] if place < len(hidden) else None
                try:
                    values[name] = _value(name, cell, behind, epoch)
                except _Broken as broken:
                    problem = problem or f"{names.get(name, name)}: {broken}"
            if is_total(cells, values):
                result.totals += 1
                continue
            number += 1
            yield Row(number, values, line, problem, names)
    except DAMAGED as error:
        message = _("the file is broken here: %s")
        yield Row(number + 1, line=line + 1, problem=message % type(error).__name__)


def _value(name: str, cell: object, behind: object, epoch: datetime) -> object:
    """What the cell says, as the readers of columns take it. Raises _Broken."""
    if cell is None and isinstance(behind, str) and behind.startswith("="):
        raise _Broken(
            _(
                "the cell has a formula without a result: open the file in a spreadsheet program and save it"
            )
        )
    if isinstance(cell, str) and ERROR.fullmatch(cell):
        raise _Broken(_("the formula in the cell ends with the error %s") % cell)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        is_day = name in TIMES and int(cell) in SERIALS
        return from_excel(cell, epoch) if is_day else _number(cell)
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - the reader gives it a zone
    is_as_it_is = cell is None or isinstance(cell, str | datetime)
    return cell if is_as_it_is else str(cell)


def _number(cell: float) -> int | Decimal | str:
    if abs(cell) >= TOO_LONG:
        return f"{cell:.14E}"
    # What is shown of a number, and not what is left of 0.1 + 0.2.
    exact = Decimal(f"{cell:.15g}")
    return int(exact) if exact == exact.to_integral_value() else exact

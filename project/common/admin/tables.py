"""Tables that are taken out of the admin, for a spreadsheet: XLSX, or CSV in two spellings.

Times are written in the present time zone, which in the admin is the school's.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, zip_longest
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from django.db.models import TextChoices
from django.http import FileResponse
from django.utils.formats import get_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from project.common.errors import Conflict
from project.common.formulas import defused
from project.common.lazily import load_lazily
from project.common.money import spreadsheet_pattern

if TYPE_CHECKING:
    import xlsxwriter
    from django_stubs_ext import StrOrPromise
else:
    xlsxwriter = load_lazily("xlsxwriter")  # 80 ms at the start of each process


class Money(NamedTuple):
    amount: Decimal
    currency: str


# A Decimal is a number with two places. None and "" leave the cell empty.
type Cell = StrOrPromise | int | Decimal | Money | datetime | date | None


class TableFormat(TextChoices):
    XLSX = "xlsx", _("Excel (XLSX)")
    CSV = "csv", _("CSV with commas, as 1990.00 and 2026-11-20")
    SEMICOLONS = "semicolons", _("CSV with semicolons, as 1990,00 and 20.11.2026")

    @property
    def ending(self) -> str:
        return "xlsx" if self == TableFormat.XLSX else "csv"


CONTENT_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
# Files are written before they are sent, and proxies wait for a minute: see docs/performance.md.
MOST_ROWS = {"xlsx": 150_000, "csv": 300_000}
# Excel rounds larger numbers, knows no earlier days, and refuses longer names of sheets and these signs
# in them. What else it does not take, as some control characters and long texts, XlsxWriter knows.
LARGEST_NUMBER = 10**15
FIRST_YEAR = 1900
LONGEST_SHEET = 31
NOT_IN_SHEETS = re.compile(r"[\[\]:*?/\\]")
# How wide columns are, in characters, by the rows that one sees first.
NARROWEST, WIDEST, ROWS_SEEN = 6, 45, 200


class TooManyRows(Conflict):
    code = "too_many_rows"

    def __init__(self, most: int) -> None:
        text = _(
            "A file of this format holds at most %(most)s rows: narrow the list down with its filters."
        )
        super().__init__(text % {"most": number_format(most, force_grouping=True)})


@dataclass(frozen=True, kw_only=True)
class Table:
    """`name` is that of the file, without its ending; `title`, that of the sheet; `number`, how many rows
    there are; `more` are further sheets, which CSV has not."""

    name: str
    title: str
    header: Sequence[str]
    number: int
    rows: Iterable[Sequence[Cell]]
    more: "Sequence[Table]" = ()

    def response(self, chosen: TableFormat) -> FileResponse:
        """The table as a file to save. It is whole before the answer begins: nobody gets half of one
        that looks whole, and the database does not wait for a slow line. Raises TooManyRows."""
        if self.number > MOST_ROWS[chosen.ending]:
            raise TooManyRows(MOST_ROWS[chosen.ending])
        file = TemporaryFile()  # noqa: SIM115 - the response closes it
        try:
            write = write_xlsx if chosen == TableFormat.XLSX else write_csv
            write(self, file, chosen)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        name, content_type = f"{self.name}.{chosen.ending}", CONTENT_TYPES[chosen.ending]
        return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)


def write_csv(table: Table, file: IO[bytes], chosen: TableFormat) -> None:
    """It begins with the mark by which spreadsheets of countries with an alphabet of their own see that
    this is UTF-8."""
    has_semicolons = chosen == TableFormat.SEMICOLONS
    written = _with_comma if has_semicolons else _with_point
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    # LibreOffice takes each comma, semicolon and tab outside of quotes for a separator, whatever the file
    # has: `x;=1+1` would be a formula.
    separator = ";" if has_semicolons else ","
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_STRINGS)
    try:
        for row in chain([table.header], table.rows):
            writer.writerow(map(written, row))
    finally:
        text.detach()  # or it would close the file


def _with_point(value: Cell) -> str | int | Decimal | date | None:
    """As CSV's own writer takes it."""
    if isinstance(value, Money):
        return value.amount
    if isinstance(value, datetime):
        return f"{localtime(value):%Y-%m-%d %H:%M:%S}"
    if value is None or isinstance(value, int | Decimal | date):
        return value
    return defused(str(value))


def _with_comma(value: Cell) -> str | int | Decimal | date | None:
    if isinstance(value, Money):
        value = value.amount
    if isinstance(value, Decimal):
        return str(value).replace(".", ",")
    if isinstance(value, datetime):
        return f"{localtime(value):%d.%m.%Y %H:%M:%S}"
    if isinstance(value, date):
        return f"{value:%d.%m.%Y}"
    return _with_point(value)


def write_xlsx(table: Table, file: IO[bytes], _chosen: TableFormat) -> None:
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        for one in (table, *table.more):
            title = NOT_IN_SHEETS.sub(" ", one.title)[:LONGEST_SHEET].strip("' ")
            sheet = _Sheet(book, book.add_worksheet(title))
            sheet.write(one.header, sheet.head)
            for row in one.rows:
                sheet.write(row)
            sheet.finish()


class _Sheet:
    """A sheet that is written row by row, as there may be more than the memory holds."""

    def __init__(self, book: Any, sheet: Any) -> None:
        self.book, self.sheet = book, sheet
        self.number = 0
        self.widths: list[int] = []
        self.head = book.add_format({"bold": True})
        day = "dd.mm.yyyy" if get_format("DECIMAL_SEPARATOR") == "," else "yyyy-mm-dd"
        self.day = book.add_format({"num_format": day})
        self.moment = book.add_format({"num_format": f"{day} hh:mm"})
        self.decimal = book.add_format({"num_format": "#,##0.00"})
        self.amounts: dict[str, Any] = {}

    def write(self, row: Sequence[Cell], form: Any = None) -> None:
        for column, value in enumerate(row):
            if value is not None and value != "":
                self._write_cell(column, value, form)
        if self.number < ROWS_SEEN:
            widths = [_width(value) for value in row]
            self.widths = [max(pair) for pair in zip_longest(self.widths, widths, fillvalue=0)]
        self.number += 1

    def _write_cell(self, column: int, value: Cell, form: Any) -> None:
        sheet, place = self.sheet, (self.number, column)
        if isinstance(value, str):
            sheet.write_string(*place, defused(value), form)
        elif isinstance(value, datetime) and value.year > FIRST_YEAR:
            moment = localtime(value).replace(tzinfo=None, microsecond=0)
            sheet.write_datetime(*place, moment, self.moment)
        elif isinstance(value, date) and value.year > FIRST_YEAR:
            sheet.write_datetime(*place, value, self.day)
        elif isinstance(value, Money):
            sheet.write_number(*place, value.amount, self._amount_in(value.currency))
        elif isinstance(value, Decimal):
            sheet.write_number(*place, value, self.decimal)
        elif isinstance(value, int) and abs(value) < LARGEST_NUMBER:
            sheet.write_number(*place, value)
        else:
            sheet.write_string(*place, defused(str(value)), form)

    def _amount_in(self, currency: str) -> Any:
        if currency not in self.amounts:
            pattern = spreadsheet_pattern(currency)
            self.amounts[currency] = self.book.add_format({"num_format": pattern})
        return self.amounts[currency]

    def finish(self) -> None:
        for column, width in enumerate(self.widths):
            self.sheet.set_column(column, column, min(max(width, NARROWEST), WIDEST) + 2)
        self.sheet.freeze_panes(1, 0)
        self.sheet.autofilter(0, 0, max(self.number - 1, 0), max(len(self.widths) - 1, 0))


def _width(value: Cell) -> int:
    """In characters, about."""
    if isinstance(value, Money):
        return len(f"{value.amount:,.2f}") + 2
    if isinstance(value, date):  # a datetime is one, too
        return 16 if isinstance(value, datetime) else 10
    return len(str(value or ""))

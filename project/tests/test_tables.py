"""What the files of exports are made of, where pages give no reason for it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import timezone, translation

from project.common.admin import tables
from project.common.admin.tables import Cell, Money, Table, TableFormat, TooManyRows
from project.tests.spreadsheets import content_of, lines_of, sheet_of

pytestmark = pytest.mark.any_database

MOMENT = datetime(2026, 10, 31, 23, 30, 5, 123456, tzinfo=UTC)


def table(*rows: list[Cell], title: str = "Rows") -> Table:
    return Table(name="rows", title=title, header=["A", "B"], number=len(rows), rows=rows)


@pytest.fixture(autouse=True)
def moscow() -> Iterator[None]:
    with timezone.override("Europe/Moscow"):
        yield


@pytest.mark.parametrize(
    ("value", "cell", "comma", "semicolon"),
    [
        (Money(Decimal("-1990.50"), "RUB"), -1990.5, "-1990.50", "-1990,50"),
        (Decimal("0.10"), 0.1, "0.10", "0,10"),
        (-7, -7, "-7", "-7"),
        (2**63 - 1, "9223372036854775807", "9223372036854775807", "9223372036854775807"),
        (MOMENT, datetime(2026, 11, 1, 2, 30, 5), "2026-11-01 02:30:05", "01.11.2026 02:30:05"),  # noqa: DTZ001
        (date(2026, 11, 1), datetime(2026, 11, 1), "2026-11-01", "01.11.2026"),  # noqa: DTZ001
        (date(1889, 5, 7), "1889-05-07", "1889-05-07", "07.05.1889"),
        (None, None, "", ""),
        ("+7 916 123-45-67", "'+7 916 123-45-67", "'+7 916 123-45-67", "'+7 916 123-45-67"),
        ("'=1+1", "''=1+1", "''=1+1", "''=1+1"),
        ('O\'Neil "Bob",\r\n;😀', 'O\'Neil "Bob",_x000D_\n;😀', *['O\'Neil "Bob",\r\n;😀'] * 2),
        # As Excel itself keeps what XML can't.
        ("a\x00b\x0b\ufffe", "a_x0000_b_x000B__xFFFE_", *["a\x00b\x0b\ufffe"] * 2),
        ("x" * 40_000, "x" * 32_767, "x" * 40_000, "x" * 40_000),
    ],
)
def test_cells_are_numbers_days_and_texts(value, cell, comma, semicolon):
    rows = table([value, "b"])
    sheet = sheet_of(rows.response(TableFormat.XLSX))
    assert sheet["A2"].value == cell
    assert sheet["A2"].data_type != "f"
    assert lines_of(rows.response(TableFormat.CSV))[1] == [comma, "b"]
    assert lines_of(rows.response(TableFormat.SEMICOLONS), ";")[1] == [semicolon, "b"]


@pytest.mark.parametrize("chosen", [TableFormat.CSV, TableFormat.SEMICOLONS])
@pytest.mark.parametrize("text", ["Eva;=1+1", "Eva,=1+1", "Eva\t=1+1"])
def test_no_text_ends_at_a_separator_of_another_file(chosen, text):
    assert f'"{text}"'.encode() in content_of(table([text, "b"]).response(chosen))


@pytest.mark.parametrize(
    ("language", "amount", "moment"),
    [("en", '"₽"#,##0.00', "yyyy-mm-dd hh:mm"),
     ("ru", '#,##0.00"\N{NO-BREAK SPACE}₽"', "dd.mm.yyyy hh:mm")],
)  # fmt: skip
def test_numbers_and_times_look_as_the_language_writes_them(language, amount, moment):
    with translation.override(language):
        answer = table([Money(Decimal("0.1"), "RUB"), MOMENT]).response(TableFormat.XLSX)
    sheet = sheet_of(answer)
    assert (sheet["A2"].number_format, sheet["B2"].number_format) == (amount, moment)


def test_a_sheet_has_a_head_that_stays():
    sheet = sheet_of(table([1, "a text"], [2, "b"]).response(TableFormat.XLSX))
    assert sheet["A1"].font.bold
    assert not sheet["A2"].font.bold
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:B3")
    assert sheet.column_dimensions["B"].width > len("a text")


@pytest.mark.parametrize("title", ["'a/b'", "x" * 30 + "'😀", "[1]:*?\\"])
def test_a_sheet_has_a_name_that_excel_takes(title):
    name = sheet_of(table([1, 2], title=title).response(TableFormat.XLSX)).title
    assert 0 < len(name) <= 31
    assert not set(name) & set("[]:*?/\\")
    assert not name.startswith("'")
    assert not name.endswith("'")


@pytest.mark.parametrize("chosen", TableFormat)
def test_an_error_in_the_middle_leaves_no_file(chosen):
    def failing() -> Iterator[list[Cell]]:
        yield [1, 2]
        raise ZeroDivisionError

    broken = Table(name="rows", title="Rows", header=["A"], number=2, rows=failing())
    with pytest.raises(ZeroDivisionError):
        broken.response(chosen)


def test_more_rows_than_a_file_holds_are_refused(monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", {"xlsx": 1, "csv": 2})
    rows = table([1, 2], [3, 4])
    with pytest.raises(TooManyRows, match="at most 1 rows"):
        rows.response(TableFormat.XLSX)
    assert len(lines_of(rows.response(TableFormat.CSV))) == 3

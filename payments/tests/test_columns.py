"""The table of payments: its words in both languages."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.utils.translation import override

from payments.columns import (
    COLUMNS,
    Movement,
    exported_id,
    movements_text,
    names_of_headers,
    plain_header,
    read_exported_id,
)
from project.common.formulas import as_typed, defused

MOVEMENTS = [
    Movement(Decimal("1500.00"), date(2026, 11, 2)),
    Movement(Decimal("200.50"), date(2026, 11, 20), ends_access=True),
]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("external_id", "external_id"),
        ("  ВНЕШНИЙ\u00a0 номер ", "external_id"),
        ("Эл. почта:", "user"),
        ("Paid", "paid_at"),
        ("Оплачен", "paid_at"),
        ("Refunds", "refunds"),
    ],
)
def test_a_column_is_known_by_its_name_in_every_language(header, name):
    assert names_of_headers()[plain_header(header)] == name


@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_two_columns_are_called_alike(language):
    with override(language):
        headers = {plain_header(str(column.label)): column.name for column in COLUMNS}
    assert len(headers) == len(COLUMNS)
    assert headers.items() <= names_of_headers().items()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "1500.00 (2026-11-02); 200.50 (2026-11-20, access ended)"),
        ("ru", "1500,00 (02.11.2026); 200,50 (20.11.2026, доступ закрыт)"),
    ],
)
def test_movements_are_written_in_the_language_of_the_reader(language, text):
    with override(language):
        assert movements_text(MOVEMENTS) == text
        assert movements_text([]) == ""


def test_the_id_of_an_export_names_a_payment_by_number_and_second():
    moscow = timezone(timedelta(hours=3))
    written = exported_id(17, datetime(2026, 11, 20, 2, 3, 5, 999, tzinfo=moscow))
    assert written == "parta-17-20261119230305"
    assert read_exported_id(written) == (17, datetime(2026, 11, 19, 23, 3, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    "other",
    ["A-1", "parta-17", "parta-0-20261119230305", "parta-17-20261319230305", "parta-17-2026"],
)
def test_other_ids_name_none(other):
    assert read_exported_id(other) is None


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+7 900", "'+7 900"),
        ("-", "'-"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("'=1+1", "''=1+1"),
        ("''-", "'''-"),
        ("'t Hooft", "'t Hooft"),
        ("'", "'"),
        ("1=1", "1=1"),
        ("", ""),
    ],
)
def test_a_formula_is_defused_and_comes_back(text, cell):
    assert defused(text) == cell
    assert as_typed(cell) == text

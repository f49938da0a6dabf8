"""Reads what the admin exports as a spreadsheet does."""

import csv
import io
from typing import Any

import openpyxl


def sheet_of(answer: Any) -> Any:
    """The only sheet of an XLSX."""
    [sheet] = openpyxl.load_workbook(io.BytesIO(content_of(answer))).worksheets
    return sheet


def lines_of(answer: Any, delimiter: str = ",") -> list[list[str]]:
    """The lines of a CSV, which begins with the mark of UTF-8."""
    content = content_of(answer)
    assert content.startswith(b"\xef\xbb\xbf")
    return list(
        csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter)
    )


def content_of(answer: Any) -> bytes:
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content)
    if answer.file_to_stream:  # the test client has closed it
        answer.file_to_stream.close()
    assert int(answer["Content-Length"]) == len(content)
    return content

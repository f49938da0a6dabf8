"""Tables that are taken out of the admin, for a spreadsheet."""

import csv
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from django.http import StreamingHttpResponse

# What a spreadsheet takes for the beginning of a formula, which somebody else has typed.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def streamed_table(
    name: str, header: Sequence[object], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """A CSV file, written row by row while it is sent. It begins with the mark by which spreadsheets of
    countries with an alphabet of their own see that this is UTF-8."""

    def lines() -> Iterator[bytes]:
        writer = csv.writer(_Echo())
        yield BOM_UTF8
        for row in chain([header], rows):
            yield writer.writerow([_plain(value) for value in row]).encode()

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _plain(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text

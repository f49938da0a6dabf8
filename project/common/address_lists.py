"""Addresses of people as they are pasted: from a list, a mail or a spreadsheet, one or several in a line,
with names beside them or not."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

SEPARATORS = re.compile(r"[,;\t]")
# Of the column with addresses, and of those with names, in the first line of a table.
ADDRESS_TITLES = frozenset(
    {"email", "e-mail", "mail", "email address", "e-mail address", "почта", "эл. почта"}
    | {"электронная почта", "адрес", "адрес почты"}
)
FIRST_NAME_TITLES = frozenset({"first name", "firstname", "given name", "имя"})
LAST_NAME_TITLES = frozenset({"last name", "lastname", "surname", "family name", "фамилия"})


class Entry(NamedTuple):
    """What one line says of one person; without an address if none is in the line. `text` is what stands
    there about them."""

    line: int
    text: str
    address: str = ""
    first_name: str = ""
    last_name: str = ""


class AddressList(NamedTuple):
    """`header` is the first line if it only names the columns."""

    header: str
    entries: list[Entry]


def read_addresses(text: str) -> AddressList:
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, line) for number, line in lines if line]
    header = lines[0][1] if lines and _titles(lines[0][1]) else ""
    columns = _titles(header)
    entries = [
        entry for number, line in lines[bool(header) :] for entry in _entries(number, line, columns)
    ]
    return AddressList(header, entries)


def decoded(content: bytes) -> str:
    """The text of a file in one of the encodings in which spreadsheets save one."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", errors="replace")


def _titles(line: str) -> Mapping[str, int]:
    """Where which name stands, if this line only names columns."""
    cells = [cell.casefold() for cell in _cells(line)]
    if "@" in line or ADDRESS_TITLES.isdisjoint(cells):
        return {}
    named = {
        "address": ADDRESS_TITLES,
        "first_name": FIRST_NAME_TITLES,
        "last_name": LAST_NAME_TITLES,
    }
    return {
        name: place
        for place, cell in enumerate(cells)
        for name, titles in named.items()
        if cell in titles
    }


def _entries(number: int, line: str, columns: Mapping[str, int]) -> Iterator[Entry]:
    cells = _cells(line)
    words = [(cell, word) for cell in cells for word in cell.split() if "@" in word]
    if len(words) != 1:
        times = Counter(cell for cell, _word in words)
        for cell, word in words:
            alone = times[cell] == 1
            name = _without(cell, word) if alone else ""
            yield Entry(number, cell if alone else word, _bare(word), *_first_and_last(name))
        if not words:
            yield Entry(number, line)
        return
    [(own, word)] = words
    if "first_name" in columns or "last_name" in columns:
        places = [columns.get(name, len(cells)) for name in ("first_name", "last_name")]
        names = tuple(cells[place] if place < len(cells) else "" for place in places)
    elif name := _without(own, word):
        names = _first_and_last(name)
    else:
        others = [cell for cell in cells if cell and cell != own]
        names = (others[0], others[1]) if len(others) > 1 else _first_and_last("".join(others))
    yield Entry(number, line, _bare(word), *names)


def _cells(line: str) -> list[str]:
    """Split at what separates cells, but not between quotation marks."""
    parts = line.split('"')
    if len(parts) % 2 == 0:  # one is not closed
        parts = [" ".join(parts)]
    parts[::2] = [SEPARATORS.sub("\0", part) for part in parts[::2]]
    return [cell.strip() for cell in "".join(parts).split("\0")]


def _without(cell: str, word: str) -> str:
    return " ".join(other for other in cell.split() if other != word)


def _bare(word: str) -> str:
    return word.strip("<>()[]'“”«».:").removeprefix("mailto:")


def _first_and_last(name: str) -> tuple[str, str]:
    # As Outlook writes it: `"Berg, Anna" <anna@x.org>`.
    last, comma, first = name.partition(", ")
    if not comma:
        first, _space, last = name.partition(" ")
    return first, last

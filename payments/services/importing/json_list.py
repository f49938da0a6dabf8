"""Reading a JSON list item by item, with memory for one item only.

Not by a streaming parser: the fast one (ijson with YAJL) crashes the whole process on numbers of
five thousand digits and on lists nested a hundred thousand deep, the safe one is twenty times
slower. The decoder of the standard library is fast and refuses both.
"""

import codecs
import json
import re
from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import Any, BinaryIO, Never

from django.utils.translation import gettext as _

CHUNK = 64 * 1024
LONGEST_ITEM = 1024 * 1024
NOT_SPACE = re.compile(r"[^ \t\n\r]")
# What is left of bytes that are no UTF-8; nothing else in a text that was decoded.
WRONG_BYTES = re.compile("[\udc80-\udcff]")


class BrokenJSON(Exception):
    """Says, in words for people, how a list is broken where it was being read."""


def _refuse_constant(name: str) -> Never:
    raise BrokenJSON(_("%s is not valid JSON") % name)


DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


class JSONList:
    """A list in a file in UTF-8, with or without a byte order mark; numbers with a point are
    decimals."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self.text = ""
        self.position = 0

    def is_one(self) -> bool:
        """Say whether there is a list at all."""
        return self._next_character() == "["

    def items(self) -> Iterator[Any]:
        """Yield the items. Raises BrokenJSON."""
        self.position += 1
        if self._next_character() != "]":
            yield self._item()
            while self._next_character() == ",":
                self.position += 1
                yield self._item()
        if self._next_character() != "]":
            raise BrokenJSON(_("expected a comma or the end of the list"))
        self.position += 1
        if self._next_character():
            raise BrokenJSON(_("there is extra content after the list"))

    def _next_character(self) -> str:
        """Go to the next character that is no space; empty at the end of the file."""
        while True:
            if found := NOT_SPACE.search(self.text, self.position):
                self.position = found.start()
                return found[0]
            self.position = len(self.text)
            if not self._read_more():
                return ""

    def _item(self) -> Any:
        self._next_character()
        while True:
            start = self.position
            try:
                item, end = DECODER.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                if not self._read_more():
                    raise BrokenJSON(error.msg) from None
            except (ValueError, DecimalException, RecursionError):
                raise BrokenJSON(_("a number is too long, or the nesting is too deep")) from None
            else:
                # A number near the end may go on in the next chunk: the 12 of `12` and of `12e+`.
                if end + 2 < len(self.text) or not self._read_more():
                    end += self.position - start
                    if WRONG_BYTES.search(self.text, self.position, end):
                        raise BrokenJSON(_("this is not UTF-8"))
                    self.position = end
                    return item

    def _read_more(self) -> bool:
        """Add a chunk to what is left of the text; say whether there was one, and room for it."""
        self.text = self.text[self.position :]
        self.position = 0
        if len(self.text) > LONGEST_ITEM:
            return False
        chunk = self.source.read(CHUNK)
        self.text += self.decoder.decode(chunk, final=not chunk)
        return bool(chunk)

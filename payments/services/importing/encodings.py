"""In which encoding a table is: what spreadsheets save, told apart by the bytes alone."""

import codecs
import re
from typing import BinaryIO

from payments.columns import names_of_headers, plain_header

CHUNK = 1024 * 1024
# Of what is not UTF-8 so much is looked at, from the first byte that is none.
LOOKED_AT = 256 * 1024
UTF_8, UTF_16, WINDOWS_1251 = "utf-8", "utf-16", "cp1251"
# How they are called on pages and in messages.
NAMES = {UTF_8: "UTF-8", UTF_16: "UTF-16", WINDOWS_1251: "Windows-1251"}

HIGH = re.compile(rb"[\x80-\xff]")
# Of Russian letters in UTF-8.
PAIR = re.compile(rb"[\xd0\xd1][\x80-\xbf]")
# What else Russian texts have beside letters: quotes, dashes, an ellipsis, a no-break space, №, signs
# of currencies.
RUSSIAN_MARKS = frozenset("„“”‘’«»—–…•№€\u00a0°§±·©®™")
RUSSIAN_LETTERS = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
# What Russian texts don't have: letters of Serbian and signs, where DOS and Macintosh have letters.
ALIEN = re.compile("[ЂЃѓ†‡‰Љ‹ЊЌЋЏђљ›њќћџ]")
# Nine of ten letters of a Russian text are among these in another encoding of it, or few of them.
FREQUENT = frozenset("оеаинтсрвлкмдп")
UPPER_AFTER_LOWER = re.compile("[а-яё][А-ЯЁ]")
# A Macintosh writes the last small letter where this encoding has the capital one.
ENDS_IN_CAPITAL = re.compile("[а-я]Я")


def encoding_of(source: BinaryIO) -> str:
    """Return the codec of a file, which is read to its end for that and is at its beginning then.

    What is neither UTF-16 nor surely Windows-1251 is UTF-8, with errors if it has to be. A source that
    can't go back is not looked at.
    """
    if not source.seekable():
        return UTF_8
    sample = source.read(CHUNK)
    if found := _utf_16(sample):
        source.seek(0)
        return found
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = sample
    encoding = UTF_8
    try:
        while chunk:
            decoder.decode(chunk)
            chunk = source.read(CHUNK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        around = chunk[max(0, error.start - 4) :][:LOOKED_AT]
        is_sure = is_windows_1251(_high_part(sample)) and is_windows_1251(around or sample)
        if is_sure or _names_columns(sample):
            encoding = WINDOWS_1251
    source.seek(0)
    return encoding


def _names_columns(sample: bytes) -> bool:
    """Say whether columns are named in it, which in another encoding would be other letters."""
    words = re.split('[,;\t\r\n"]', sample[:8192].decode(WINDOWS_1251, errors="replace"))
    names = names_of_headers()
    return sum(not word.isascii() and plain_header(word) in names for word in words) > 1


def _high_part(sample: bytes) -> bytes:
    first = HIGH.search(sample)
    return sample[first.start() :][:LOOKED_AT] if first else b""


def _utf_16(sample: bytes) -> str | None:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return UTF_16
    # Without the mark: every other byte of figures and separators is zero.
    even, odd = sample[:4096:2], sample[1:4096:2]
    if odd.count(0) > len(odd) // 4 and not even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) // 4 and not odd.count(0):
        return "utf-16-be"
    return None


def is_windows_1251(sample: bytes) -> bool:
    """Say whether bytes that are no UTF-8 are Russian in this encoding, and in no other one."""
    high = len(HIGH.findall(sample))
    if b"\x98" in sample or 2 * len(PAIR.findall(sample)) > high / 2:
        return False  # no character of it, or UTF-8 that is broken somewhere
    text = sample.decode(WINDOWS_1251)
    letters = [one for one in text.casefold() if one in RUSSIAN_LETTERS]
    marks = sum(one in RUSSIAN_MARKS for one in text)
    if ALIEN.search(text) or len(letters) + marks < 0.95 * high:
        return False
    if ENDS_IN_CAPITAL.search(text) and "я" not in text:
        return False
    likely = _likelihood(text)
    return likely >= _likelihood(sample.decode("koi8-r"))


def _likelihood(text: str) -> float:
    """How much like Russian a text is."""
    letters = [one for one in text.casefold() if one in RUSSIAN_LETTERS]
    mixed = len(UPPER_AFTER_LOWER.findall(text))
    return sum(one in FREQUENT for one in letters) - 2 * mixed if letters else 0

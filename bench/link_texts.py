"""What `bench.links` judges: the paragraphs of Markdown files, and what an oracle finds in them.

The oracle owes nothing to the link rule. What it says of a paragraph:

- NAMED: it names another site or a mailbox for certain. It has an address with a scheme that leads
  elsewhere than to YouTube, also in code; a target of a link, a picture or an HTML attribute that
  does; or linkify-it-py, as a mail client would, finds a mailbox or `www.` in the running text.
- ARGUABLE: linkify-it-py finds no more than a bare `word.tld` or `word.tld/path` in the running
  text. Some are sites (`allegro.pl`), some are not (`main.py`, `x.to(device)`, a forgotten space).
- NOTHING: none of these.

What it can't see: hosts under an ending that linkify-it-py doesn't know (`evil.app`), mailboxes in
code, and a link whose definition stands in another paragraph.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from linkify_it import LinkifyIt
from markdown_it import MarkdownIt
from markdown_it.token import Token

FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
SCHEME = re.compile(r"(?i)(?<![a-z0-9+.\-])(?:[a-z][a-z0-9+.\-]*)://+[\w\[%@][^\s<>\"'`)\]}]*")
# Attributes of HTML that a browser follows or loads.
TARGETS = frozenset("href src srcset action formaction poster background cite data".split())  # noqa: SIM905
# Kept for documentation (RFC 2606).
DOCUMENTATION = re.compile(
    r"(?i)(?:\A|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)\Z"
)
LINKIFIER = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": False})
PARSER = MarkdownIt("commonmark")


class Verdict(StrEnum):
    NAMED = "named"
    ARGUABLE = "arguable"
    NOTHING = "nothing"


class Finding(NamedTuple):
    verdict: Verdict
    words: tuple[str, ...]
    """What was found, as it stands in the text."""


def blocks(folder: Path, pattern: str = "*.md") -> Iterator[tuple[str, str]]:
    """Each file's blocks, with its name in the folder: paragraphs, headings, whole lists, quotes,
    fences, and what no block claims (definitions of links)."""
    for path in sorted(folder.rglob(pattern)):
        text = path.read_text(encoding="utf-8", errors="replace")
        for block in blocks_of(text):
            yield str(path.relative_to(folder)), block


def blocks_of(text: str) -> Iterator[str]:
    text = FRONT_MATTER.sub("", text.replace("\r\n", "\n").replace("\x00", ""))
    lines, done = text.split("\n"), 0
    for token in PARSER.parse(text):
        if token.level or token.map is None or token.nesting < 0:
            continue
        start, end = token.map
        yield from _block(lines[done:start])
        yield from _block(lines[start:end])
        done = max(done, end)
    yield from _block(lines[done:])


def _block(lines: list[str]) -> Iterator[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    while lines and not lines[0].strip():
        lines = lines[1:]
    if lines:
        yield "\n".join(lines)


def documents(texts: Iterable[str], longest: int) -> Iterator[str]:
    """The blocks of a file put together again, in pieces of at most so many characters."""
    piece: list[str] = []
    for text in texts:
        if piece and sum(map(len, piece)) + 2 * len(piece) + len(text) > longest:
            yield "\n\n".join(piece)
            piece = []
        piece.append(text)
    if piece:
        yield "\n\n".join(piece)


def finding(text: str) -> Finding:
    """What the oracle finds in a text of Markdown."""
    tokens = PARSER.parse(text)
    certain = [*_schemes(text), *filter(_leaves, _targets(tokens))]
    arguable: list[str] = []
    for line in running_text(tokens):
        for word, is_certain in _linkified(line):
            (certain if is_certain else arguable).append(word)
    if certain:
        return Finding(Verdict.NAMED, tuple(certain))
    return Finding(Verdict.ARGUABLE if arguable else Verdict.NOTHING, tuple(arguable))


def finding_in_title(title: str) -> Finding:
    found = [*((word, True) for word in _schemes(title)), *_linkified(title)]
    certain = tuple(word for word, is_certain in found if is_certain)
    if certain:
        return Finding(Verdict.NAMED, certain)
    words = tuple(word for word, _is_certain in found)
    return Finding(Verdict.ARGUABLE if words else Verdict.NOTHING, words)


def running_text(tokens: Iterable[Token]) -> Iterator[str]:
    """The text of each block as a reader sees it, without code. HTML is text there."""
    for token in tokens:
        if token.type == "inline":
            yield "".join(map(_shown, token.children or []))
        elif token.type == "html_block":
            yield token.content


def titles(text: str) -> Iterator[str]:
    """The headings of a block as they are read."""
    tokens = PARSER.parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            shown = "".join(
                child.content or " "
                for child in inline.children or []
                if child.type != "html_inline"
            )
            if title := " ".join(shown.split()):
                yield title


def code(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in {"fence", "code_block", "code_inline"}:
            yield token.content
        yield from code(token.children or [])


def _shown(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    if token.type == "image":
        return "".join(map(_shown, token.children or []))
    return " " if token.type == "code_inline" else token.content


def _schemes(text: str) -> Iterator[str]:
    return (match[0] for match in SCHEME.finditer(text) if not _to_youtube(match[0]))


def _to_youtube(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    host = (parts.netloc or "").lower()
    return parts.scheme in {"", "http", "https"} and (
        host in {"youtube.com", "youtu.be"} or host.endswith(".youtube.com")
    )


def _leaves(target: str) -> bool:
    has_scheme = re.match(r"(?i)\s*[a-z][a-z0-9+.\-]*:", target) is not None
    elsewhere = has_scheme or re.match(r"\s*[\\/]{2}", target) is not None
    return elsewhere and not _to_youtube(target.strip())


def _targets(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        yield from (str(token.attrs[name]) for name in ("href", "src") if name in token.attrs)
        if token.type in {"html_block", "html_inline"}:
            yield from attributes(token.content)
        yield from _targets(token.children or [])


def _linkified(text: str) -> Iterator[tuple[str, bool]]:
    """Each link that a mail client would make of a text, and whether it is one for certain."""
    for match in LINKIFIER.match(text) or []:
        bare = match.text.removeprefix("//")
        if match.schema == "mailto:":
            if not DOCUMENTATION.search(match.text.rpartition("@")[2]):
                yield match.text, True
        elif not _to_youtube(match.url):
            yield match.text, bare.lower().startswith("www.") or bool(match.schema)


class _Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if value and name in TARGETS]


def attributes(html: str) -> list[str]:
    """The addresses in the attributes of some HTML."""
    reader = _Attributes()
    reader.feed(html)
    return reader.found

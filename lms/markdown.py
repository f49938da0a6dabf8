"""Descriptions as they are shown: CommonMark, rendered and sanitised, and a summary of them."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from lms.links import leaves

SUMMARY_MAX_LENGTH = 200
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "code": {"class"},
}
TAGS = {
    *ATTRIBUTES, "blockquote", "br", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "p", "pre",
    "strong", "ul",
}  # fmt: skip


class Rendered(NamedTuple):
    summary: str
    description_html: str


# Both fields that are made of a description ask, one after the other.
@lru_cache(maxsize=4)
def render(text: str) -> Rendered:
    """Render a description. HTML in it is text, and a link that leads anywhere but to YouTube or to
    our own pages (`lms/links.py`) is none."""
    # Made anew: one that several threads use for the first time at once knows no rules for some.
    parser = MarkdownIt("commonmark", {"html": False})
    environment: dict[str, object] = {}
    tokens = parser.parse(text, environment)
    html = parser.renderer.render(tokens, parser.options, environment)
    safe = nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, attribute_filter=_kept_attribute)
    return Rendered(_shortened(" ".join(" ".join(_texts(tokens)).split())), safe)


def _kept_attribute(element: str, attribute: str, value: str) -> str | None:
    if attribute in {"href", "src"}:
        return None if leaves(value) else value
    if (element, attribute) == ("code", "class"):
        # The language of a block of code, for those who colour it.
        return value if value.startswith("language-") and " " not in value else None
    return value


def _texts(tokens: Iterable[Token]) -> Iterator[str]:
    """The text of each block."""
    for token in tokens:
        if token.type == "inline":
            yield _inline_text(token)
        elif token.type in {"fence", "code_block"}:
            yield token.content


def _inline_text(token: Token) -> str:
    if token.children:
        return "".join(map(_inline_text, token.children))
    return " " if token.type in {"softbreak", "hardbreak"} else token.content


def _shortened(text: str) -> str:
    """The text, or its first words with an ellipsis."""
    if len(text) <= SUMMARY_MAX_LENGTH:
        return text
    start = text[: SUMMARY_MAX_LENGTH - 1]
    return f"{start.rpartition(' ')[0] or start}…"

"""Descriptions are CommonMark: how they are shown, and which links are in them.

Both follow from one parse, so that what is judged is what is shown.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from lms import links

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
# Where emphasis or a link begins or ends inside a paragraph. No text that was parsed has it.
MARK = "\0"
# Stands in running text for a code span or a picture.
OBJECT = "\ufffc"
# Of `<…:…>`: `std::string` and `xs:element` are program text that nothing answers to; what is an
# e-mail address is judged as text.
ANSWERED = re.compile(r"(?!mailto:)[^:]*+:.*(?:[/?#@%=+].|\d{3})")


class Rendered(NamedTuple):
    summary: str
    description_html: str


class Parts(NamedTuple):
    """A description as it is read for links."""

    texts: list[str]
    codes: list[str]
    targets: list[str]


class Parsed(NamedTuple):
    parser: MarkdownIt
    tokens: list[Token]
    parts: Parts


# The validator and both fields that are made of a description ask, one after the other.
@lru_cache(maxsize=4)
def parse(text: str) -> Parsed:
    # Made anew: one that several threads use for the first time at once knows no rules for some.
    parser = MarkdownIt("commonmark", {"html": False})
    # Every target is one, `javascript:` too: it is refused, and not shown if it is there already.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.inline.skipToken = partial(_skip_token, parser.inline.skipToken)  # type: ignore[method-assign]
    # Before it forgets which letters were typed as entities.
    parser.core.ruler.before("text_join", "parts", _note_parts)
    environment: dict[str, Any] = {}
    tokens = parser.parse(text, environment)
    return Parsed(parser, tokens, environment["parts"])


def _skip_token(skip: Callable[[StateInline], None], state: StateInline) -> None:
    """Ask first what is known of the place: thousands of open brackets ask for each twenty times."""
    if (known := state.cache.get(state.pos)) is None:
        skip(state)
    else:
        state.pos = known


@lru_cache(maxsize=4)
def render(text: str) -> Rendered:
    """Render a description. HTML in it is text, and a link that leads anywhere but to YouTube or to
    our own pages (`lms/links.py`) is none."""
    parser, tokens, _parts = parse(text)
    html = parser.renderer.render(tokens, parser.options, {})
    safe = nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, attribute_filter=_kept_attribute)
    return Rendered(_shortened(" ".join(" ".join(_texts(tokens)).split())), safe)


def _kept_attribute(element: str, attribute: str, value: str) -> str | None:
    if attribute in {"href", "src"}:
        return None if links.leaves(value) else value
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


def foreign_link(text: str) -> str | None:
    """Return a link in a description that does not lead to YouTube, or None. It is cut for quoting."""
    texts, codes, targets = parse(text).parts
    found = [
        links.foreign_link("\n\n".join(texts)),
        links.foreign_address("\n\n".join(codes)),
        *map(links.foreign_target, targets),
    ]
    return next(filter(None, found), None)


def _note_parts(state: StateCore) -> None:
    parts = state.env["parts"] = Parts([], [], [])
    for token in state.tokens:
        if token.type == "inline":
            text = _running_text(token, parts)
            # Marks are no part of a word; and some programs look at each piece of text alone.
            parts.texts.append(text.replace(MARK, ""))
            if MARK in text:
                parts.texts.append(text.replace(MARK, " "))
        elif token.type in {"fence", "code_block"}:
            parts.codes.extend((token.info, token.content))
    references = state.env.get("references", {}).values()
    # Nothing needs to refer to them.
    for definition in (*references, *state.env.get("duplicate_refs", [])):
        parts.targets.append(definition["href"])
        parts.texts.append(definition["title"])


def _running_text(token: Token, parts: Parts) -> str:
    """Return the text of a paragraph; add what else is in it to the parts."""
    pieces = []
    for child in token.children or []:
        target = str(child.attrs.get("href") or child.attrs.get("src") or "")
        if target and (child.info != "auto" or ANSWERED.match(target)):
            parts.targets.append(target)
        if title := child.attrs.get("title"):
            parts.texts.append(str(title))
        match child.type:
            case "text":
                pieces.append(child.content)
            case "text_special":
                as_typed = child.content in {child.markup, "&"}
                pieces.append(child.content if as_typed else f"{MARK}{child.content}{MARK}")
            case "softbreak" | "hardbreak":
                pieces.append("\n")
            case "code_inline":
                parts.codes.append(child.content)
                pieces.append(OBJECT)
            case "image":
                parts.texts.append(_running_text(child, parts))
                pieces.append(OBJECT)
            case _:
                pieces.append(MARK)
    return "".join(pieces)

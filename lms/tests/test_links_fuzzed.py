"""The link rule against texts that nobody thought of (docs/rules.md, 7).

What a rule lets pass is read by others than the rule: Lexbor for the HTML that is shown,
linkify-it-py for what a mail client or a front end would make a link of in text.
`uv run pytest -n 2 --hypothesis-profile thorough lms/tests/test_links_fuzzed.py` tries 100,000 texts.
"""

import re
from collections.abc import Callable, Iterator

import ada_url
import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st
from linkify_it import LinkifyIt
from linkify_it.main import Match
from selectolax.lexbor import LexborHTMLParser

from lms.markdown import render
from lms.tests.link_cases import ACCEPTED, REFUSED
from lms.validators import validate_description, validate_title
from project.common.link_words import CERTAIN_ENDINGS, NAMES
from project.common.links import INVISIBLE, RESERVED_ENDINGS, RESERVED_NAMES

LINKIFIER = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": False}).tlds(
    ["app", "dev", "online", "run", "shop", "site", "xyz", "москва"], keep_old=True
)
ADDRESS_ATTRIBUTES = frozenset({"href", "src"})
OTHER_ATTRIBUTES = frozenset({"alt", "class", "rel", "start", "title"})
# To a browser these lead away; `@:` and `//` alone don't.
LEAVING = re.compile(r"(?i)[a-z][a-z0-9+.\-]*:|[\\/]{2}.")
# The rule judges the letters of a subdomain; here is asked whose it is.
YOUTUBE = re.compile(
    r"(?i)(?:https?:)?//(?:[^\s/?#@:\\]+\.)?(?:youtube\.com|youtu\.be)(?::(?:443|80))?(?:[/?#]|\Z)"
)

# `https://<host>`, `http://$HOST`, `//=`.
PLACEHOLDER = re.compile(r"(?i)(?:https?:|ftp:)?//[<>{}\"'`()$*…,;|=«»“”]")
PARTS = re.compile(r"(?s)^(?:[a-z]+:)?(?://)?([^/?#]*@)?([^/?#]*)(.*)")
MAILBOX = re.compile(r"(?=.*\w)[^:;\"]+")
HOST = re.compile(r"[\w\-.\x80-\U0010ffff]+")
# `README.md#install`, `Text.app?`: no more than the word.
NO_PATH = re.compile(r"/?\Z|#|\?(?!\w+=)")


PIECES = [
    # Hosts, and what is beside them.
    "evil.com", "evil.run", "evil.ru", "evil.py", "evil", "злой.рф", "xn--80ajoghfjyj0a.xn--p1ai",
    "evil。com", "ｅｖｉｌ．ｃｏｍ", "еvil.соm", "allegro.pl", "t.me/x", "bit.ly", "example.com", "localhost",
    "127.0.0.1", "[::1]", "youtube.com", "youtu.be/x", "https://youtu.be/x", "www.youtube.com/watch?v=x",
    "www.", "a@evil.com", "a@example.com", "@", ".com", ".", "..", "。", "com", ":80", "/x", "?x=1", "#x",
    # Schemes.
    "http://", "https://", "HTTPS://", "https:", "http:/", "//", "\\\\", "/\\", "ftp://", "ws:", "tg:", "tg://",
    "javascript:", "java\tscript:", "data:text/html,", "mailto:", "file:///", "vbscript:", "foo:", "://",
    "https&colon;//", "h&#116;tps://", "https\\://", "&#x6A;avascript:", "%2f%2f", "%65vil.com",
    # What Markdown reads.
    "*", "**", "_", "__", "~~", "`", "``", "```", "~~~", "```\n", "\n```\n", "[", "]", "](", "(", ")", "[x]",
    "[x](", "![x](", "](<", ">)", "<", ">", "<https://", "|", "#", "\n# ", "\n> ", "\n- ", "\n1. ", "\n    ",
    "\n\t", "    ", "  \n", "\\\n", "\\", "\\*", "\\.", "\n===\n", "\n---\n", "\n[x]: ", "\n\n[x]: ", "\n\n[x]:\n", "[x]: <",
    "[evil]", "[x][evil]", "\n\n[evil]: ", ' "t"', " 't'", '"', "'", "!",
    # Entities.
    "&", ";", "&amp;", "&#46;", "&period;", "&sol;", "&#x2f;", "&colon;", "&lt;", "&gt;", "&shy;", "&nbsp;",
    "&#0;", "&Tab;", "&NewLine;", "&ZeroWidthSpace;", "&commat;",
    # Letters that nobody sees, and some that look like others.
    "\u200b", "\xad", "\u2060", "\ufeff", "\u202e", "\u2028", "\ufffc", "\x0b", "\x01", "\u0301", "․", "／", "：", "ⅽ", "о",
    # HTML.
    "<a href=", '<a href="', "<img src=", "<img src='//", '">', "</a>", "<!--", "-->", "<script>", "<br>",
    "<div\n", "<![CDATA[", "<?", "<svg><a xlink:href=", ' style="background:url(', "srcset=", "<b></b>",
    # What people write.
    " ", " ", " ", "\n", "\n\n", "\t", "\r\n", ", ", ": ", "; ", "…", " — ", "«", "»", "Урок", "см.", "и т.д.",
    "main.py", "node.js", "ASP.NET", "x.to(device)", "self.name", "Let's do it.", "конец.Начало", "3.14",
    "e.g.", "package com.example.app", "README.md", "print('a:b')", "a.b()", "обязательно", "code",
]  # fmt: skip
SPELLINGS = [text for group in (REFUSED, ACCEPTED) for texts in group.values() for text in texts]

pieces = st.sampled_from(PIECES) | st.text(max_size=3).filter(lambda text: text.isprintable())
composed = st.lists(pieces, max_size=12).map("".join)


@st.composite
def changed(draw: st.DrawFn) -> str:
    """One of the spellings with pieces put into it, or letters taken out of it, between others."""
    text = draw(st.sampled_from(SPELLINGS))
    for _change in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.sampled_from([start, start, start + 1]))
        text = text[:start] + draw(pieces) + text[end:]
    return draw(pieces) + text + draw(pieces)


texts = composed | changed()

# In the suite always the same hundred: what is new is looked for by thousands, and by a person.
usual = settings(deadline=None, derandomize=settings().max_examples <= 100)


def passes(rule: Callable[[str], None], text: str) -> bool:
    try:
        rule(text)
    except ValidationError:
        return False
    return True


def foreign_attributes(html: str) -> Iterator[str]:
    """What a browser would follow or load that is neither ours nor YouTube's."""
    root = LexborHTMLParser(html).root
    assert root is not None
    for node in root.traverse():
        for name, value in node.attributes.items():
            shown = f"{node.tag} {name}={value!r}"
            is_address = name in ADDRESS_ATTRIBUTES
            if not leads_nowhere_else(value or "") if is_address else name not in OTHER_ATTRIBUTES:
                yield shown


def leads_nowhere_else(address: str) -> bool:
    # Browsers drop these before they look.
    address = re.sub(r"[\t\r\n]", "", address).strip("".join(map(chr, range(33))))
    return YOUTUBE.match(address) is not None or LEAVING.match(address) is None


def running_text(html: str) -> tuple[str, str]:
    """What a reader sees, and what of it is code."""
    root = LexborHTMLParser(html).body
    assert root is not None
    code = [node.text(deep=True) for node in root.css("code")]
    # A picture parts words as code does.
    for node in root.css("code, img"):
        node.replace_with("\n")
    return root.text(deep=True), "\n\n".join(code)


def linked(text: str) -> Iterator[Match]:
    """What of a text is made a link to elsewhere than to YouTube, but for what the project judges to
    be none."""
    for match in LINKIFIER.match(text) or []:
        # Ignored by browsers, too.
        url = INVISIBLE.sub("", match.url).partition("`")[0]
        in_path = text[: match.index].endswith("\\")
        if not YOUTUBE.match(url) and not is_text(match.schema, url, in_path=in_path):
            yield match


def is_text(schema: str, url: str, *, in_path: bool) -> bool:
    """Whether an address is text by the project's judgement (docs/rules.md, 7)."""
    person, host, rest = PARTS.findall(url)[0]
    if schema in {"http:", "https:", "ftp:"}:
        # `http://.@e`: what comes before `@` was judged as text.
        is_nowhere = bool(person) and "." not in host
        return is_nowhere or PLACEHOLDER.match(url) is not None or not ada_url.check_url(url)
    if not ada_url.check_url(f"http://{host}") or (schema and not HOST.fullmatch(host)):
        return True
    # No name has these in it: `x=example.com`, `~.com`; and what points at a name is none of it.
    host = re.sub(r"^[^\w.]+(?=\w)", "", re.split(r"[!-,/:-@\[-^`{-~]", host)[-1]).lower()
    *others, ending = host.split(".")
    registered = ".".join([*others[-1:], ending])
    is_host = others and all([*others, ending]) and not YOUTUBE.match(f"//{host}")
    if not is_host or ending in RESERVED_ENDINGS or registered in RESERVED_NAMES:
        return True
    if schema:
        return not LINKIFIER.match(host) or (bool(person) and not MAILBOX.fullmatch(person))
    is_word = ending not in CERTAIN_ENDINGS or registered in NAMES
    return is_word and others[0] != "www" and (in_path or NO_PATH.match(rest) is not None)


@usual
@given(text=texts)
def test_what_a_description_may_say_is_shown_without_a_link_to_elsewhere(text: str) -> None:
    if not passes(validate_description, text):
        return
    html = render(text).description_html
    shown, code = running_text(html)
    assert not list(foreign_attributes(html))
    assert not list(linked(shown))
    assert not [match for match in linked(code) if match.schema in {"http:", "https:", "ftp:"}]


@usual
@given(text=texts.map(lambda text: " ".join(text.split())))
def test_what_a_title_may_say_is_made_no_link_by_a_mail_client(text: str) -> None:
    if passes(validate_title, text):
        assert not list(linked(text))


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<a href="https://youtu.be/x">x</a><img src="/a.png"><a href="#a:b">', 0),
        ('<a href="//evil">', 1),
        ('<a href="/\t/evil">', 1),
        ('<a href="&#1; javascript:x">', 1),
        ('<a href="\\\\evil">', 1),
        ('<img src="https://youtube.com.evil.run/">', 1),
        ('<p style="background:url(//evil)">', 1),
    ],
)
def test_foreign_addresses_in_html_are_seen(html: str, found: int) -> None:
    assert len(list(foreign_attributes(html))) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://youtu.be/x main.py x.to(device) a@example.com", 0),
        ("evil.com", 1),
        ("see evil.py/x and www.evil.run", 2),
        ("a@evil.py", 1),
        ("ftp://evil.run", 1),
    ],
)
def test_links_in_text_are_seen(text: str, found: int) -> None:
    assert len(list(linked(text))) == found

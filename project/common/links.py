"""Finds links in plain text (docs/rules.md, 7.3), but for those that the caller allows.

Mail clients and programs that make links of text differ: a link is refused if any of them would
follow it. What is looked for, in the text as typed and as programs decode it:

- an address with a scheme: `https://…` in every spelling browsers forgive, and any other scheme;
- `www.…`, and `//host.tld`;
- the target of an HTML attribute with a scheme or `//` of its own (a relative one stays on our
  site and is not foreign);
- an e-mail address under an existing top-level domain, because mail clients make it a link;
- `host.tld/path` under an existing top-level domain;
- a bare `host.tld` under an existing top-level domain, unless `link_words` knows the word
  as a file's name, a property, the start of a sentence or a technical name, or it is program text
  by what stands around it.

Every step is linear in the length of the text: keep the repetitions possessive.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from itertools import chain, pairwise

import ada_url
from publicsuffixlist import PublicSuffixList

from project.common import link_words

# Longer ones are refused unread: none that anybody allows comes near.
LONGEST_ADDRESS = 2000
LONGEST_QUOTE = 200

# Kept for documentation: they never exist in the net, and yet are what an example looks like.
RESERVED_ENDINGS = frozenset({"example", "invalid", "localhost", "test"})
RESERVED_NAMES = frozenset({"example.com", "example.net", "example.org"})
LOOK_ALIKES = str.maketrans("асеорхуіјѕһԁԛԝвкмнт", "aceopxyijshdqwbkmht")

UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
INVISIBLE = re.compile(f"[{UNSEEN}]")
MARKDOWN_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")

# Browsers take any sign beyond ASCII in a host, as in `i❤.ws`, and so do some mail clients; here
# ends what is the usual punctuation of a text.
LABEL = (
    rf"[^\x00-,./:-@\[-^`{{-\xa1\xab\xb6\xb7\xbb\xbf\s\u2010-\u205f\u3000-\u3004\u3008-\u303f"
    rf"\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\ufff9-\uffff{UNSEEN}]"
)
DOTS = ".。．｡"
HOST = re.compile(rf"(?<!{LABEL}){LABEL}++(?:[{DOTS}]{LABEL}++)++")
# Where programs differ: many end a host at a sign, and at any dot but the usual one.
PLAIN_NAME = re.compile(r"[\w\-]++(?:\.[\w\-]++)++")
# `👉youtube.com` is seen as a sign before an address.
HOST_FRAME = re.compile(rf"^(?:_|[^\w{DOTS}])*+(?=[^\W_])|(?<![\-_])[\-_]++\Z")
HOST_DOT = re.compile(rf"[{DOTS}]")
PROTOCOL_RELATIVE = re.compile(r"(?<![\w:/])//")
CREDENTIALS = re.compile(r"[^\s\\/?#<>@]*+@")
# Not all programs see that an address begins behind these, so it explains nothing; emoji are none.
GLUED = re.compile(rf"(?![\ufe00-\ufe0f])[\w~{UNSEEN}]")
GLUED_HOST = re.compile(r"[.:/\\\-_@=\u0300-\u036f]")
EXPLAINED = "…"
LOCAL_PART_BACKWARDS = re.compile(r"[^\s<>()\[\]{}:\"`/\\@]*+")
# Where an address ends in running text, for at least one renderer.
ADDRESS = re.compile(r"[^\s<>\"`\[\](){}|^«»“”„]*+")
ADDRESS_END = ".,:;!?'*_~…’"
ENTITY_IN_HOST = re.compile(r"(?i)((?:[a-z]++:)?[\\/]*+[^\\/?#&]*+)&#?\w{1,32};")
# Within these characters renderers agree about where an address ends.
PLAIN_ADDRESS = re.compile(r"(?:&amp;|[\w\-.~:/?#@&+=%])*+")

# No host begins as `https://…`, `https://<host>` and `https://{host}` do.
WEB = re.compile(r"(?i)(?:https?|ftps?|wss?):[\\/]++(?![\s<>{}\"'`()$*…,;|«»“”\\/]|\.(?!\w)|\Z)")
SCHEME = re.compile(r"(?i)(?<![a-z0-9+.\-])([a-z][a-z0-9+.\-]++)://(?=[\w\[%@?/])")
GLUED_WEB = re.compile(r"(?i)(?:.*[.+\-])?https?")
# Schemes without slashes. Most of their names are words too, so what follows must fit.
OPAQUE = re.compile(
    r"""(?ix) (?<![a-z0-9+.\-]) (?:
        (?:javascript|livescript|vbscript|mailto|tg) : (?=[!-~])
      | data : (?=[\w.+\-]+/[\w.+\-]|[;,]\S)
      | file : (?=[\\/]++[\w.~%])
      | (?:tel|sms|callto|facetime|whatsapp) : (?=\+?\d)
      | (?:magnet|viber|sgnl) : (?=\?)
      | skype : (?=[\w.\-]{1,64}\?)
      | (?:blob|feed|filesystem|jar|view-source) : (?=[a-z]{2,20}:)
    )"""
)
# Browsers drop tabs and line breaks inside an address.
SPLIT_SCHEME = re.compile(
    "(?i)(?<![a-z])(?:"
    + "|".join(
        r"[\t\r\n]*+".join(name)
        for name in ("javascript", "vbscript", "https", "http", "ftp", "data", "mailto", "file")
    )
    + r"):(?=[!-~])"
)
PATH = re.compile(r"(?::\d{1,5})?/\S|\?\w+=")
PATH_OF_NUMBERS = re.compile(r"(?::\d{1,5})?/[^\s\d]")
GOES_ON = re.compile(r"[/?#@\\]|:\d|:[^\s/]{0,100}@")
LEAVING = re.compile(r"[\x00-\x20]*+(?:[\\/]|[^:]*+:)")
NOTHING = re.compile(r"(?i)(?:[a-z][a-z0-9+.\-]*+:)?[\\/]*+")

# `my_list`, `myList`, and the `F` of `F.Cu`.
IDENTIFIER = re.compile(r"[^\W_]*+_\w*+|[a-z]+[A-Z]\w*|[A-Z]")
# What only program text has right beside a name: `x.io(`, `$x.io`, `a::x.io`, `src/x.io`.
CALL_AFTER = re.compile(r"[(\[{]")
PARENT_BEFORE = re.compile(r"(?:[.$]|->|::|(?<![\w/])/?(?:[\w.\-]+/)+)\Z")
# What other text has, too.
OPERATOR_AFTER = re.compile(r"\s?(?:[=!<>+\-*/%|&^]?=|->|\+\+|--|\|\||&&|\|>|;\s*(?:\n|\Z))")
OPERATOR_BEFORE = re.compile(
    rf"(?i)(?:[\w\])][(\[{{]|(?<!\w)[!&]|[=+|&]\s|(?<!\w)(?:{'|'.join(link_words.PROGRAM_WORDS)})\s)\Z"
)

WWW = re.compile(
    rf"(?i)(?<![\w@\-])www\d{{0,3}}+[{DOTS}](?=\w)(?!example\.(?:com|net|org)(?![\w.\-]))"
)

HTML_TARGET = re.compile(
    r"""(?ix) (?<![\w\-])
    (?:href|src|srcset|action|formaction|poster|background|cite|ping|longdesc|manifest)
    \s*+ = \s*+ (?: "([^"<>]++) | '([^'<>]++) | ([^\s"'<>`]++) )"""
)
# What renderers of Markdown and browsers follow, wherever it leads.
MARKUP = re.compile(r"(?://|\]\()[^\s)]{1,200}")
# Relative targets depend on the page: both schemes, because `https:host` is relative to https.
OUR_PAGES = ("http://our.invalid/", "https://our.invalid/")

# Says whether an address may stand in the text; a relative one is read from the page `base`.
type Allowed = Callable[[str, str | None], bool]


def first_link(text: str, *, allowed: Allowed) -> str | None:
    """Return the first link found that is not allowed, or None. It is cut for quoting."""
    for reading in readings(text):
        for link in links(reading, allowed):
            return link.strip()[:LONGEST_QUOTE]
    return None


def first_address(text: str, *, allowed: Allowed) -> str | None:
    """Return the first address with a scheme that is not allowed, or None. It is cut for quoting."""
    found = chain(foreign_schemes(text), foreign_addresses(text, [], allowed))
    return next((link[:LONGEST_QUOTE] for link in found), None)


def any_link(text: str) -> str | None:
    """Return the first link found, or word that is a host under an existing top-level domain: where
    nobody writes of programs, `play.live` is no property. It is cut for quoting."""
    if (link := first_link(text, allowed=lambda _address, _base: False)) is not None:
        return link
    names = chain.from_iterable(map(host_names, readings(text)))
    found = [name for _start, name in names if exists(HOST_DOT.split(name))]
    return next((link[:LONGEST_QUOTE] for link in [*found, *MARKUP.findall(text)]), None)


def host_names(text: str) -> Iterator[tuple[int, str]]:
    """Yield what has the form of a host, and where it begins: the longest reading first."""
    for match in HOST.finditer(text):
        plain = PLAIN_NAME.finditer(text, *match.span())
        for start, end in dict.fromkeys(found.span() for found in (match, *plain)):
            name = HOST_FRAME.sub("", text[start:end])
            yield text.index(name, start), name


def readings(text: str) -> list[str]:
    """Return the text as typed, with HTML entities decoded, and as browsers fold its letters.

    What looks the same is quoted best without invisible characters, so that comes first.
    """
    decoded = text
    for _round in range(3):
        decoded = html.unescape(decoded)
    folded = MARKDOWN_ESCAPE.sub(r"\1", INVISIBLE.sub("", decoded))
    folded = unicodedata.normalize("NFKC", folded).replace("。", ".")
    return list(dict.fromkeys([INVISIBLE.sub("", text), text, decoded, folded]))


def links(text: str, allowed: Allowed) -> Iterator[str]:
    yield from html_targets(text, allowed)
    yield from foreign_schemes(text)
    spans: list[tuple[int, int]] = []
    yield from foreign_addresses(text, spans, allowed)
    # `&ab_channel=freeCodeCamp.org` in an address that is allowed is no link of its own.
    unexplained = without(text, spans)
    yield from foreign_www(unexplained, allowed)
    yield from foreign_hosts(unexplained, allowed)


def html_targets(text: str, allowed: Allowed) -> Iterator[str]:
    """Yield what HTML makes a target whatever it looks like."""
    for match in HTML_TARGET.finditer(text):
        target = match[1] or match[2] or match[3]
        # Markdown has halved the backslashes.
        if leaves(target, allowed) or leaves(target.replace("\\", "\\\\"), allowed):
            yield target


def leaves(target: str, allowed: Allowed) -> bool:
    """Say whether a target leads away from our site to what is not allowed."""
    if not LEAVING.match(target) or NOTHING.fullmatch(target):
        return False
    for page in OUR_PAGES:
        url = parsed(target, page)
        stays = url is not None and url.hostname == "our.invalid" and url.protocol in page
        if not stays and not allowed(target, page):
            return True
    return False


def foreign_schemes(text: str) -> Iterator[str]:
    for match in OPAQUE.finditer(text):
        yield address_at(text, match.start())
    for match in SPLIT_SCHEME.finditer(text):
        if any(letter.isspace() for letter in match[0]):
            yield match[0] + address_at(text, match.end())
    for match in SCHEME.finditer(text):
        if not GLUED_WEB.fullmatch(match[1]):
            yield address_at(text, match.start())


def foreign_addresses(text: str, spans: list[tuple[int, int]], allowed: Allowed) -> Iterator[str]:
    """Yield foreign `https://…`; add to `spans` where those are that are allowed."""
    for match in WEB.finditer(text):
        start = match.start()
        address = address_at(text, start)
        if not allowed(address, None) or CREDENTIALS.match(text, match.end()):
            yield address
        # Not all programs see an address with other slashes.
        elif match[0].endswith("://") and not GLUED.match(text[start - 1 : start]):
            spans.append((start, end_of_known(text, start)))


def foreign_www(text: str, allowed: Allowed) -> Iterator[str]:
    for match in WWW.finditer(text):
        address = address_at(text, match.start())
        if not allowed(f"http://{address}", None):
            yield address


def foreign_hosts(text: str, allowed: Allowed) -> Iterator[str]:
    """Yield e-mail addresses, and hosts without a scheme that are not allowed."""
    known_until = 0
    for start, name in host_names(text):
        if start < known_until:
            continue
        parts = HOST_DOT.split(name)
        local_part = mail_name(text, start)
        if local_part and is_documentation(parts) and not allowed(f"http://{local_part}", None):
            continue
        if local_part and exists(parts):
            yield f"{local_part}@{name}"
        if not is_link(text, start, name, parts):
            yield from hosts_glued_to_sentence(parts, allowed)
            continue
        known_until = start + len(name)
        goes_on = GOES_ON.match(text, known_until)
        address = address_at(text, start) if goes_on else name
        if not allowed(f"http://{address}", None):
            yield address
        elif not goes_on:
            continue
        elif is_relative(text, start) or not GLUED_HOST.match(text[start - 1 : start]):
            known_until = end_of_known(text, start)


def mail_name(text: str, host_start: int) -> str:
    """Return what stands before the `@` before the host, empty if nothing does."""
    if text[host_start - 1 : host_start] != "@":
        return ""
    before = text[max(0, host_start - 65) : host_start - 1]
    match = LOCAL_PART_BACKWARDS.match(before[::-1])
    name = match[0][::-1] if match else ""
    return name if any(letter.isalnum() for letter in name) else ""


def is_link(text: str, start: int, name: str, parts: list[str]) -> bool:
    end = start + len(name)
    if len(parts) == 4 and all(part.isdecimal() for part in parts):
        # Not `10.0.0.0/8`, and not the reader's own machine.
        return parts[0] != "127" and PATH_OF_NUMBERS.match(text, end) is not None
    if not exists(parts) or ".".join(parts[-2:]).lower() in RESERVED_NAMES:
        return False
    inside_path = text[start - 1 : start] in {"/", "\\"}
    if is_relative(text, start) or (not inside_path and PATH.match(text, end)):
        return True
    return is_bare_link(parts) and not is_program_text(text, start, end, parts)


def is_relative(text: str, start: int) -> bool:
    """Say whether `//` before the host makes an address of it."""
    return PROTOCOL_RELATIVE.match(text, start - 2) is not None


def is_bare_link(parts: list[str]) -> bool:
    """Say whether a mail client makes this host a link though it stands alone in the text."""
    if ".".join(parts[-2:]).lower() in link_words.NAMES:
        return len(parts) > 2
    if parts[-1].lower() in link_words.TEXT_ENDINGS:
        # `evil.com.py` is under a registry of names, `tests.main.py` is not.
        return len(parts) > len(registry(parts).split(".")) > 1
    return exists(parts)


def is_program_text(text: str, start: int, end: int, parts: list[str]) -> bool:
    """Say whether a host is rather a method, a property, a package or a sentence that begins without
    a space, by what it is made of and what stands around it."""
    name, ending = parts[-2:]
    if ending.lower() in link_words.CERTAIN_ENDINGS:
        return False
    before = text[max(0, start - 40) : start]
    return (
        ending in link_words.SENTENCE_STARTS
        or (ending.istitle() and name.islower())
        or name.lower() in link_words.OBJECTS
        or parts[0].lower() in link_words.PACKAGES
        or (ending.lower() in link_words.FILES_OF and name.lower() in link_words.FILES)
        or IDENTIFIER.fullmatch(name) is not None
        or CALL_AFTER.match(text, end) is not None
        or PARENT_BEFORE.search(before) is not None
    ) or (
        ending.lower() in link_words.MEMBERS
        and bool(OPERATOR_AFTER.match(text, end) or OPERATOR_BEFORE.search(before))
    )


def hosts_glued_to_sentence(parts: list[str], allowed: Allowed) -> Iterator[str]:
    """Yield `evil.com` of `evil.com.Там`: mail clients differ about where such a host ends."""
    for index, (part, following) in enumerate(pairwise(parts[:20])):
        host = parts[: index + 1]
        certain = index > 0 and part.lower() in link_words.CERTAIN_ENDINGS
        glued = not following[:1].islower() or part.isascii() != following.isascii()
        name = ".".join(host)
        if certain and glued and is_bare_link(host) and not allowed(f"http://{name}", None):
            yield name


def is_documentation(parts: list[str]) -> bool:
    """Say whether the host is kept for examples (RFC 2606)."""
    return parts[-1].lower() in RESERVED_ENDINGS or ".".join(parts[-2:]).lower() in RESERVED_NAMES


def exists(parts: list[str]) -> bool:
    """Say whether the last part is a top-level domain, or looks like one letter by letter."""
    ending = parts[-1].lower()
    if registry(parts) or ending in RESERVED_ENDINGS or ending.startswith("xn--"):
        return True
    mixed = any(letter.isascii() for letter in ending)
    return mixed and bool(registry([ending.translate(LOOK_ALIKES)]))


def registry(parts: list[str]) -> str:
    """Return the ending under which names are given out: `com`, `co.uk`; empty if there is none."""
    return registry_of(".".join(parts[-4:]))


@lru_cache(maxsize=1000)
def registry_of(host: str) -> str:
    return public_suffixes().publicsuffix(host) or ""


@cache
def public_suffixes() -> PublicSuffixList:
    # Cached instead of a constant: reading the list takes a tenth of a second.
    return PublicSuffixList(accept_unknown=False, only_icann=True)


def address_at(text: str, start: int) -> str:
    """Return the address that begins here, cut where a renderer would end it."""
    match = ADDRESS.match(text, start, start + LONGEST_ADDRESS + 1)
    address = match[0] if match else ""
    if before_entity := ENTITY_IN_HOST.match(address):
        address = before_entity[1]
    return address.rstrip(ADDRESS_END)


def end_of_known(text: str, start: int) -> int:
    """Return where an address that is allowed ends for every renderer alike."""
    match = PLAIN_ADDRESS.match(text, start, start + LONGEST_ADDRESS)
    return match.end() if match else start


def without(text: str, spans: list[tuple[int, int]]) -> str:
    """Return the text with a sign in the place of each span; both ends of the spans are in order."""
    pieces, done = [], 0
    for start, end in spans:
        pieces.append(text[done:start])
        done = end
    return f"{EXPLAINED} ".join([*pieces, text[done:]])


def parsed(address: str, base: str | None = None) -> ada_url.URL | None:
    """Return the address as browsers read it (WHATWG), or None if they would not follow it."""
    if len(address) > LONGEST_ADDRESS:
        return None
    try:
        return ada_url.URL(address, base=base)
    except ValueError:
        return None

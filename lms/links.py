"""Which links materials may have: those that lead to YouTube (docs/rules.md, 7)."""

import re
from urllib.parse import unquote, unquote_plus

import ada_url

from lms.youtube import is_forwarding_page, is_youtube
from project.common import links

# In other signs, in two dots and in percent escapes programs disagree about where a host ends.
PLAIN_HOST = re.compile(
    r"(?:[a-zA-Z]+:)?+[\\/]*+(?!\w[\w.\-]*\.\.)(?:[\w.\-]*|\w+[。．｡]\w+)(?::\d*)?(?=[\\/?#]|\Z)"
)
NESTED_HOST = re.compile(r"[\\/]{2,}+([^\\/?#&\s]*+)")


def foreign_link(text: str) -> str | None:
    """Return the first link found in plain text that does not lead to YouTube, or None. It is cut
    for quoting."""
    return links.first_link(text, allowed=leads_to_youtube)


def foreign_address(code: str) -> str | None:
    """Return the first address with a scheme in program text that does not lead to YouTube."""
    return links.first_address(code, allowed=leads_to_youtube)


def foreign_target(target: str) -> str | None:
    """Return the target of a link if it does not lead to YouTube or to a page of ours. A host
    without a scheme is one of ours to browsers, but not to its author."""
    shown = unquote(target)
    if leaves(target) or leaves(shown):
        return shown.strip()[: links.LONGEST_QUOTE]
    return foreign_link(re.split("[/?#]", shown, maxsplit=1)[0])


def leaves(target: str) -> bool:
    """Say whether a target leads away from our site and not to YouTube."""
    return links.leaves(target, leads_to_youtube)


def leads_to_youtube(address: str, base: str | None = None) -> bool:
    """Say where a browser goes: over the web to YouTube, without credentials, port or forwarding."""
    url = links.parsed(address, base)
    return (
        url is not None
        and PLAIN_HOST.match(address.strip()) is not None
        and url.protocol in {"http:", "https:"}
        and not (url.username or url.password or url.port)
        and is_youtube(url.hostname)
        and not forwards(url)
    )


def forwards(url: ada_url.URL) -> bool:
    """Say whether this page of YouTube may send the reader on to somewhere else."""
    if is_forwarding_page(url.pathname):
        return True
    rest = url.pathname + url.search + url.hash
    for _round in range(3):
        rest = unquote_plus(rest)
    return any(not is_youtube(host.lower()) for host in NESTED_HOST.findall(rest))

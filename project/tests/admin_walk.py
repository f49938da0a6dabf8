"""Every page of the admin that somebody gets to by its links."""

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from django.test import Client

PALETTE = "/admin/search/?s="


class Links(HTMLParser):
    """What the page offers: links, and what its selects ask for rows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in known:
            self.found.append(known["href"])
        if tag == "form" and known.get("method", "get").lower() == "get":
            self.found.append(known.get("action", ""))
        if address := known.get("data-ajax--url"):
            names = {
                "app_label": "app-label",
                "model_name": "model-name",
                "field_name": "field-name",
            }
            asked = {key: known.get(f"data-{name}", "") for key, name in names.items()}
            self.found.append(f"{address}?{urlencode(asked)}")


def links_of(page: str, html: str) -> Iterator[str]:
    parser = Links()
    parser.feed(html)
    for found in parser.found:
        address = urljoin(page, found.partition("#")[0])
        if urlsplit(address).path.startswith("/admin/") and "/logout/" not in address:
            yield address


def kind_of(address: str) -> tuple[str, tuple[str, ...]]:
    """Lists can be ordered and filtered in endless ways: each name of a parameter once. A page may
    remember how its list was. Each month leads to the next: January and one more of each year."""
    parts = urlsplit(address)
    names = {name for name, _value in parse_qsl(parts.query)} - {"_changelist_filters"}
    path = re.sub(r"/(\d{4})-(?!1/)\d+/", r"/\1/", parts.path)
    return path, tuple(sorted(names))


def walk(
    client: Client, words: Iterable[str] = ()
) -> tuple[dict[str, str], dict[str, tuple[int, str]]]:
    """Follow every link from the dashboard on, and from what the palette finds for these words. Returns
    what was seen, and for each that was refused the status and where it stood."""
    waiting = [("/admin/", "the log-in"), *((f"{PALETTE}{word}", "the palette") for word in words)]
    known = {kind_of(address) for address, _where in waiting[:1]}
    seen: dict[str, str] = {}
    refused: dict[str, tuple[int, str]] = {}
    while waiting:
        address, where = waiting.pop()
        response = client.get(address, follow=True)
        content = response.getvalue()  # a table that is not read to its end stays open
        seen[address] = content.decode() if "html" in response["Content-Type"] else ""
        if response.status_code != 200 or "/login/" in response.request["PATH_INFO"]:
            refused[address] = (response.status_code, where)
            continue
        for found in links_of(address, seen[address]):
            if kind_of(found) not in known:
                known.add(kind_of(found))
                waiting.append((found, address))
    return seen, refused

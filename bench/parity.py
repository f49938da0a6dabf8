"""Do the application, the limit and the usual way say the same? Without that no ratio means
anything."""

import http.client
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from bench.load import Request

Answer = tuple[int, Any]
Asker = Callable[[Request], Answer]
SAMPLE = 30
MOMENTS = {"since", "last_login", "date_joined"}


class Disagreement(Exception):
    pass


def over_http(address: str) -> Asker:
    """Ask a running server, each time over a new connection."""

    def ask(request: Request) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        try:
            headers = {"X-Forwarded-Proto": "https", "Authorization": f"Bearer {request.token}"}
            connection.request("GET", request.path, headers=headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or "null")
        finally:
            connection.close()

    return ask


def check(requests: list[Request], askers: Mapping[str, Asker]) -> None:
    """Raises Disagreement, naming the request, unless all give the same answer as the first to the
    first requests. A field that the first has and another lacks is let pass: the product may grow
    without its twins."""
    (first, ask_first), *others = askers.items()
    for request in requests[:SAMPLE]:
        status, content = ask_first(request)
        if status != 200:
            raise Disagreement(f"{first}: {status} to {request.path}: {content}")
        for name, ask in others:
            its_status, its_content = ask(request)
            found = plain(its_content)
            wanted = narrowed(plain(content), found)
            if (its_status, found) != (200, wanted):
                raise Disagreement(
                    f"{request.path}\n{first}: {wanted}\n{name}: {its_status} {found}"
                )


def narrowed(value: Any, to: Any) -> Any:
    """The value without the fields that the other has not."""
    if isinstance(value, dict) and isinstance(to, dict):
        return {name: narrowed(part, to[name]) for name, part in value.items() if name in to}
    if isinstance(value, list) and isinstance(to, list) and len(value) == len(to):
        return [narrowed(part, its) for part, its in zip(value, to, strict=True)]
    return value


def plain(value: Any, key: str = "") -> Any:
    """The same value with one way to write a moment."""
    if isinstance(value, dict):
        return {name: plain(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if (key.endswith("_at") or key in MOMENTS) and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return value

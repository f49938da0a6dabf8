"""Do the application, the limit and the usual way say the same? Without that no ratio means
anything."""

import http.client
import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from bench.jobs import Job
from bench.load import Request

Answer = tuple[int, Any]
Asker = Callable[[Request], Answer]
SAMPLE = 24


class Disagreement(Exception):
    pass


def over_http(address: str) -> Asker:
    """Ask a running server, each time over a new connection."""

    def ask(request: Request) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        try:
            connection.request(
                request.method, request.path, request.body, headers=request.all_headers()
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read() or "null")
        finally:
            connection.close()

    return ask


def in_process(application: Callable[..., Iterable[bytes]]) -> Asker:
    """Call a WSGI application in this thread."""

    def ask(request: Request) -> Answer:
        path, _mark, query = request.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body.encode()),
            "wsgi.errors": io.StringIO(),
        }
        for name, value in request.all_headers().items():
            key = name.upper().replace("-", "_")
            environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
        status = 0

        def start_response(line: str, headers: object, problem: object = None) -> None:
            nonlocal status
            status = int(line.split()[0])

        chunks = application(environ, start_response)
        body = b"".join(chunks)
        getattr(chunks, "close", lambda: None)()
        return status, json.loads(body or "null")

    return ask


def check(job: Job, askers: Mapping[str, Asker], *, sample: int = SAMPLE) -> None:
    """Raises Disagreement, naming the request, unless all give the same answer to each of the
    first requests of a job."""
    answers: dict[str, list[Answer]] = {}
    for name, ask in askers.items():
        if job.put_back is not None:
            job.put_back()
        answers[name] = [ask(request) for request in job.requests[:sample]]
    if job.put_back is not None:
        job.put_back()
    simplify = shape if job.shape_only else plain
    (first, expected), *others = answers.items()
    for number, (status, content) in enumerate(expected):
        request = job.requests[number]
        if status not in {200, 201}:
            raise Disagreement(f"{first}: {status} to {request.method} {request.path}: {content}")
        for name, found in others:
            if (status, simplify(content)) != (found[number][0], simplify(found[number][1])):
                raise Disagreement(
                    f"{request.method} {request.path}\n{first}: {status} {simplify(content)}\n"
                    f"{name}: {found[number][0]} {simplify(found[number][1])}"
                )


def plain(value: Any, key: str = "") -> Any:
    """The same value with one way to write a moment."""
    if isinstance(value, dict):
        return {name: plain(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if key.endswith("_at") and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return value


def shape(value: Any) -> Any:
    """Names and types only, for answers that are different each time."""
    if isinstance(value, dict):
        return {name: type(part).__name__ for name, part in value.items()}
    return type(value).__name__

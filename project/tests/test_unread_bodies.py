"""An answer that needs no more of the body leaves nothing of it to the next request."""

import json
import socket
from contextlib import suppress
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from project.tests.processes import Server

MEGABYTE = 1024 * 1024
NEXT = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("length", [60_000, 100_000, 3 * MEGABYTE, 9 * MEGABYTE], ids=str)
@pytest.mark.parametrize(
    ("path", "status"), [("courses", 401), ("nothing", 404), ("auth/token", 422)]
)
def test_answer_closes_or_the_next_request_is_answered(
    server: Server, path: str, status: int, length: int
) -> None:
    head = (
        f"POST /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    body = json.dumps({"x": "x" * (length - 9)}).encode()
    assert len(body) == length
    given, closes, followed = converse(server, head.encode() + body, NEXT)
    limit = 64 * 1024 if status == 422 else 2 * MEGABYTE
    assert given == (status if length <= limit else 413)
    assert closes == (length > 8 * MEGABYTE)
    assert followed == (0 if closes else 200)


def test_a_body_in_chunks_ends_the_connection(server: Server) -> None:
    head = b"POST /api/v1/courses HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert converse(server, head + b"2\r\n{}\r\n0\r\n\r\n", NEXT) == (401, True, 0)


def converse(server: Server, first: bytes, second: bytes) -> tuple[int, bool, int]:
    """Send one request, and if the answer keeps the connection, another. Return the first status,
    whether the answer says that it closes, and the second status."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        given, closes = answer(connection, first)
        return given, closes, 0 if closes else answer(connection, second)[0]


def answer(connection: socket.socket, request: bytes) -> tuple[int, bool]:
    with suppress(ConnectionError):  # it wants no more of it; what it said is still there
        connection.sendall(request)
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status, response.getheader("Connection") == "close"

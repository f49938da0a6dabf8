"""Half-sent bodies, half-sent headers and silent connections, at Gunicorn alone and behind each
proxy: how long others wait meanwhile. Then what the proxy itself answers under `/api/`."""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from project.tests.drills.servers import caddy, nginx
from project.tests.processes import Server

SECONDS = 8
HEAD = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
ATTACKS = {
    "8 half-sent bodies": (8, HEAD + b'Content-Length: 1000\r\n\r\n{"email":'),
    "50 half-sent headers": (50, HEAD),
    "50 silent connections": (50, b""),
}


def run(folder: Path) -> None:
    for name in ("alone", "nginx", "caddy"):
        for attack, (number, sent) in ATTACKS.items():
            with _served(name, folder) as (url, _server), ExitStack() as clients:
                address = urlsplit(url)
                for _client in range(number):
                    client = socket.create_connection((address.hostname, address.port))
                    clients.enter_context(client)
                    client.sendall(sent)
                time.sleep(1)
                waits = {path: _longest(url + path) for path in ("/healthz", "/api/v1/meta")}
            print(f"{name:6} {attack:22}", waits)
    for name in ("nginx", "caddy"):
        with _served(name, folder) as (url, server):
            _show(name, requests.post(f"{url}/api/v1/auth/token", b"x" * 7_000_000, timeout=30))
            server.process.terminate()
            server.process.wait()
            _show(name, requests.get(f"{url}/api/v1/meta", timeout=30))


@contextmanager
def _served(name: str, folder: Path) -> Iterator[tuple[str, Server]]:
    folder = Path(tempfile.mkdtemp(dir=folder))  # what was killed may still write
    server = Server(folder, workers=1, PROXIES="0" if name == "alone" else "1")
    try:
        requests.get(f"{server.url}/api/v1/meta", timeout=30)
        if name == "alone":
            yield server.url, server
        else:
            proxy = nginx if name == "nginx" else caddy
            with proxy(folder, server) as url:
                yield url, server
    finally:
        server.process.kill()
        server.process.wait()


def _longest(url: str) -> str:
    longest, until = 0.0, time.monotonic() + SECONDS
    while (began := time.monotonic()) < until:
        try:
            assert requests.get(url, timeout=SECONDS).status_code == 200
        except requests.Timeout:
            return f"no answer within {SECONDS} s"
        longest = max(longest, time.monotonic() - began)
    return f"{longest:.2f} s"


def _show(name: str, answer: requests.Response) -> None:
    print(name, answer.status_code, answer.headers.get("Content-Type"), answer.text[:200])

"""Half-sent bodies, half-sent headers, silent connections and clients that don't read what they asked for,
at Gunicorn and Granian alone and behind each proxy: how long others wait meanwhile. Then what the
proxies themselves answer under `/api/`.

Granian is tried if it is there: `uv run --with granian python -m project.tests.drills slow_clients`.
"""

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import requests
from django.conf import settings

from project.tests.drills.measuring import web_processes
from project.tests.drills.servers import caddy, free_port, nginx, running
from project.tests.processes import KEY, Server, environment

SECONDS = 8
HEAD = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
DOCUMENT = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ATTACKS = {
    "8 half-sent bodies": (8, HEAD + b'Content-Length: 1000\r\n\r\n{"email":'),
    "50 half-sent headers": (50, HEAD),
    "50 silent connections": (50, b""),
    "50 that read nothing": (50, DOCUMENT * 20),
}
ORIGIN = {"Origin": "https://app.school.example"}
PROXIES = {"nginx": nginx, "caddy": caddy}


def run(folder: Path) -> None:
    for name in ("gunicorn", "granian", *PROXIES):
        if name == "granian" and find_spec("granian") is None:
            continue
        for attack, (number, sent) in ATTACKS.items():
            with _served(name, folder) as url, _clients(url, number, sent):
                waits = {path: _longest(url + path) for path in ("/healthz", "/api/v1/meta")}
            print(f"{name:8} {attack:22}", waits, flush=True)
    for name, proxy in PROXIES.items():
        with _gunicorn(folder, proxies=1) as server, proxy(folder, server, patience=2) as url:
            _show(
                name,
                requests.post(
                    f"{url}/api/v1/auth/token", b"x" * 7_000_000, headers=ORIGIN, timeout=30
                ),
            )
            processes = [server.process.pid, *web_processes(server)]
            for pid in processes:
                os.kill(pid, signal.SIGSTOP)
            _show(name, requests.get(f"{url}/api/v1/meta", headers=ORIGIN, timeout=30))
            for pid in processes:
                os.kill(pid, signal.SIGKILL)
            server.process.wait()
            _show(name, requests.get(f"{url}/api/v1/meta", headers=ORIGIN, timeout=30))


@contextmanager
def _served(name: str, folder: Path) -> Iterator[str]:
    if name == "granian":
        with _granian(folder) as url:
            yield url
    elif name == "gunicorn":
        with _gunicorn(folder) as server:
            yield server.url
    else:
        with _gunicorn(folder, proxies=1) as server, PROXIES[name](folder, server) as url:
            yield url


@contextmanager
def _gunicorn(folder: Path, proxies: int = 0) -> Iterator[Server]:
    own = Path(tempfile.mkdtemp(dir=folder))  # what was killed may still write
    server = Server(own, PROXIES=str(proxies), CORS_ALLOWED_ORIGINS=ORIGIN["Origin"])
    try:
        requests.get(f"{server.url}/api/v1/meta", timeout=30)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@contextmanager
def _granian(folder: Path) -> Iterator[str]:
    """With as many processes and threads as Gunicorn has here."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
    command += ["--workers", "1", "--blocking-threads", str(settings.WEB_THREADS)]
    own = environment(folder, SECRET_KEY=KEY, ALLOWED_HOSTS="127.0.0.1", HTTPS="off")
    with running([*command, "project.wsgi:application"], port, env=own):
        url = f"http://127.0.0.1:{port}"
        requests.get(f"{url}/api/v1/meta", timeout=30)
        yield url


@contextmanager
def _clients(url: str, number: int, sent: bytes) -> Iterator[None]:
    """So many connections, with little room for answers, on which this was sent and no more will be."""
    address = urlsplit(url)
    with ExitStack() as clients:
        for _client in range(number):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((address.hostname, address.port))
            client.sendall(sent)
        time.sleep(1)
        yield


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
    """What a program of the front end at another origin is told."""
    names = ("Content-Type", "Access-Control-Allow-Origin", "Retry-After")
    print(name, answer.status_code, *map(answer.headers.get, names), answer.json()["code"])

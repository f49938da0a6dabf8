"""What stands before Gunicorn, configured as docs/operations.md says."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from project.tests.processes import Server, wait_until

NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_read_timeout {patience}s;
    {documented}
}}
"""


def documented(language: str) -> str:
    """The configuration in this language that docs/operations.md shows."""
    text = (settings.BASE_DIR / "docs" / "operations.md").read_text()
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def nginx(folder: Path, server: Server, patience: int = 60) -> Iterator[str]:
    """Run nginx before this server, for whose answers it waits so many seconds; yields its address."""
    port = free_port()
    written = documented("nginx").replace("127.0.0.1:8000", str(urlsplit(server.url).netloc))
    written = re.sub(r"listen .*;", f"listen 127.0.0.1:{port};", written)
    written = re.sub(r"ssl_\w+ .*;", "", written)
    written = written.replace("server_name school.example;", "server_name 127.0.0.1;")
    path = folder / "nginx.conf"
    user = "" if os.geteuid() else "user root;"  # its folder is ours alone
    path.write_text(NGINX.format(folder=folder, user=user, patience=patience, documented=written))
    with running(["nginx", "-p", str(folder), "-c", str(path)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def caddy(folder: Path, server: Server, patience: int = 60) -> Iterator[str]:
    """As `nginx`, with Caddy."""
    port = free_port()
    written = documented("caddyfile").replace("127.0.0.1:8000", str(urlsplit(server.url).netloc))
    written = written.replace("school.example {", f"http://127.0.0.1:{port} {{")
    written = written.replace("response_header_timeout 60s", f"response_header_timeout {patience}s")
    path = folder / "Caddyfile"
    path.write_text(f"{{\n    admin off\n}}\n{written}")
    with running(["caddy", "run", "--adapter", "caddyfile", "--config", str(path)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(
    command: list[str], port: int, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run something that answers at this port."""
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def answers() -> bool:
        assert process.poll() is None, f"{command[0]} has ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        wait_until(answers)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)

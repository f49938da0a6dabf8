"""Web hosts, clusters and what they share, each as processes of their own."""

import http.client
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from bench.serving import PRODUCTION, ROOT, Server, free_port, server

NUMBERS = itertools.count(1)
HEADERS = {"X-Forwarded-Proto": "https", "Host": "127.0.0.1"}


@dataclass
class Host:
    """A client that always asks the same web host, from this address; without one each request
    comes from another."""

    server: Server
    address: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def storage(self) -> str:
        return "S3" if os.environ.get("STORAGE_URL") else "a shared folder"

    def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        """Ask the API; return status and content."""
        sent = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if sent else {}
        return self._api(method, path, token, sent, headers)

    def log_in(self, email: str, password: str) -> dict[str, str]:
        status, tokens = self.ask("POST", "auth/token", "", {"email": email, "password": password})
        if status != 200:
            message = f"{email} can't log in: {status} {tokens}"
            raise RuntimeError(message)
        return dict(tokens)

    def send_picture(self, path: str, token: str) -> tuple[int, Any]:
        from PIL import Image  # noqa: PLC0415 - for this alone

        picture = io.BytesIO()
        Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
        part = b'--part\r\nContent-Disposition: form-data; name="file"; filename="me.png"\r\n'
        part += b"Content-Type: image/png\r\n\r\n" + picture.getvalue() + b"\r\n--part--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=part"}
        return self._api("PUT", path, token, part, headers)

    def has_picture(self, address: str) -> bool:
        """Look where a browser would: at the storage, or in the folder that the proxy serves."""
        if not address.startswith("http"):
            name = address.removeprefix("/media/")
            return (Path(os.environ["MEDIA_ROOT"]) / name).is_file()
        with suppress(OSError), urlopen(address) as answer:  # noqa: S310 - our own storage's
            return bool(answer.read())
        return False

    def log_in_to_admin(self, email: str, password: str) -> None:
        _status, page = self.page("/admin/login/")
        match = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        form = {"username": email, "password": password, "next": "/admin/"}
        form["csrfmiddlewaretoken"] = match[1] if match else ""
        self.page("/admin/login/?next=/admin/", form)

    def page(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Ask for a page as a browser, which keeps the cookies."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers["Referer"] = "https://127.0.0.1/"
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        response, content = self._exchange(
            "GET" if form is None else "POST", path, urlencode(form) if form else None, headers
        )
        for line in response.headers.get_all("Set-Cookie", []):
            name, _sign, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return response.status, content.decode()

    def _api(
        self, method: str, path: str, token: str, body: bytes | str | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        if token:
            headers = headers | {"Authorization": f"Bearer {token}"}
        response, content = self._exchange(method, f"/api/v1/{path}", body, headers)
        return response.status, json.loads(content or b"null")

    def _exchange(
        self, method: str, path: str, body: bytes | str | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        address = self.address or f"198.51.100.{next(NUMBERS) % 250}"
        try:
            headers = HEADERS | {"X-Forwarded-For": address} | headers
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


@contextmanager
def web_host(name: str, folder: Path, environment: dict[str, str]) -> Iterator[Host]:
    """A web server that shares nothing with the others but what the environment names."""
    folder.mkdir(exist_ok=True)
    with server(name, "project.wsgi", port=0, TMPDIR=str(folder), **environment) as one:
        yield Host(one)


@dataclass
class Cluster:
    process: "subprocess.Popen[bytes]"

    def end(self) -> None:
        """As systemd does: SIGTERM to the first process, SIGKILL for what is left."""
        with suppress(ProcessLookupError):
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=30)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """`manage.py work` with the settings of production."""
    one = Cluster(
        subprocess.Popen(
            [sys.executable, "manage.py", "work"],
            cwd=ROOT,
            env=PRODUCTION | os.environ | {"TMPDIR": str(folder)},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("BENCH_SHOW_LOG") else subprocess.DEVNULL,
        )
    )
    try:
        yield one
    finally:
        one.end()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of a Redis that keeps nothing."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with _service([*command, "--dir", str(folder)], port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def bucket() -> Iterator[str]:
    """A STORAGE_URL for an empty bucket on an S3-compatible server."""
    import boto3  # noqa: PLC0415 - of the group `hosts`

    port = free_port()
    with _service([sys.executable, "-m", "moto.server", "-p", str(port)], port):
        key, address = "testing", f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": key, "aws_secret_access_key": key}
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="media")
        yield f"s3://{key}:{key}@{urlsplit(address).netloc}/media?scheme=http&region=us-east-1"


@contextmanager
def _service(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    message = f"{command[0]} did not start"
                    raise RuntimeError(message)
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait()


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError):
        connection.connect()
        connection.close()
        return True
    return False

"""The production web server: `gunicorn -c project/gunicorn.py project.wsgi`.

Threads, because a request mostly waits: for the database, or for a password hash, which leaves the
interpreter free. How many processes and threads: WEB_PROCESSES, WEB_THREADS. SIGHUP starts fresh
workers and lets the old ones finish; SIGTERM finishes and ends.
"""

import ctypes
import logging
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

# This file is read before the server puts the project on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.conf import settings
from gunicorn import util
from gunicorn.http import parser
from gunicorn.workers.gthread import TConn, ThreadWorker

from project.common.api.problems import CONTENT_TYPE, problem

PROBES = (b"GET /healthz ", b"HEAD /healthz ")
# Seconds for which the system keeps a connection to itself on which nothing was said.
UNHEARD = 10


class WorkerWithProbe(ThreadWorker):  # type: ignore[misc]
    """Has a thread beside the pool for `/healthz`: a process whose threads all wait for a database or
    a provider is alive, and to be killed for it would help nobody."""

    def get_thread_pool(self) -> ThreadPoolExecutor:
        self.probe_pool = ThreadPoolExecutor(max_workers=1)
        pool: ThreadPoolExecutor = super().get_thread_pool()
        return pool

    def run(self) -> None:
        for listener in self.sockets:
            # A connection is handed over with its first bytes, so that they can be looked at.
            with suppress(AttributeError, OSError):  # not Linux, or no TCP
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, UNHEARD)
        super().run()

    def enqueue_req(self, conn: TConn) -> None:
        if not is_probe(conn.sock):
            super().enqueue_req(conn)
            return
        answered = self.probe_pool.submit(self.handle, conn)
        answered.add_done_callback(
            lambda future: self.method_queue.defer(self.finish_request, conn, future)
        )


def is_probe(connection: socket.socket) -> bool:
    """Say whether a probe is asked for, by what can be read already."""
    try:
        begin = connection.recv(len(PROBES[1]), socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return False
    return begin.startswith(PROBES)


bind = "127.0.0.1:8000"
worker_class = WorkerWithProbe
workers = settings.WEB_PROCESSES
threads = settings.WEB_THREADS
# A worker that is silent for so long is replaced; requests have no limit of their own here.
timeout = 60
graceful_timeout = 30
# Longer than the idle time of the usual proxies, or they meet connections that just closed.
keepalive = 75
# Fresh processes now and then bound what a leak can cost, and not all of them at once.
max_requests = 5000
max_requests_jitter = 1000
# The heartbeat file in memory: on a busy disk it would make healthy workers look dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True
# The application writes the access log, with the id of the request and without its path.
accesslog = None
logconfig_dict = settings.LOGGING
logging.captureWarnings(capture=True)

# What is larger than this goes back to the system when it is freed. Left to itself glibc learns to
# keep blocks of up to 32 MiB for each thread: 80 MiB for each process, with four threads that have
# checked a password (19 MiB) or read a picture.
LARGE = 4 * 1024 * 1024
M_MMAP_THRESHOLD = -3  # of mallopt(3); other systems have no such function
if set_option := getattr(ctypes.CDLL(None), "mallopt", None):
    set_option(M_MMAP_THRESHOLD, LARGE)


def write_problem(connection: socket.socket, status: int, reason: str, _cause: str) -> None:
    """Answer what never reaches the application: too long an address, headers that are none."""
    content = problem(status).content
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    util.write_nonblock(connection, head.encode("latin-1") + content)


# The server's own answer is a page of HTML, and there is no setting for it.
util.write_error = write_problem

# What is left of a body when its answer is there (401, 413) is read and dropped, or the rest would
# stand before the next request on this connection: behind a proxy, somebody else's. By itself the
# server does so up to 64 KiB, and then closes what it has said to keep. What is longer than this
# limit, or may be, ends the connection, and the answer says so.
LEFT_BODY = 8 * 1024 * 1024
parser._DRAIN_MAX_BYTES = LEFT_BODY  # noqa: SLF001


LEFT_WITHIN = 5  # seconds


def pre_request(_worker: object, request: Any) -> None:
    """Have the answer say `Connection: close` if the body may be too long to be dropped."""
    headers = dict(request.headers)
    length = headers.get("CONTENT-LENGTH", "0")
    if "TRANSFER-ENCODING" in headers or not length.isdecimal() or int(length) >= LEFT_BODY:
        request.force_close()


def post_request(_worker: object, request: Any, *_others: object) -> None:
    """Drop what is left of a body, in larger pieces than the server does: of two megabytes that takes
    one millisecond of computing, and not sixty."""
    if request.should_close():
        return
    connection = request.unreader.sock
    connection.settimeout(LEFT_WITHIN)
    until = time.monotonic() + LEFT_WITHIN
    with suppress(OSError):  # the server sees that there is more to come, and closes
        while time.monotonic() < until and request.body.read(64 * 1024):
            pass
    connection.settimeout(None)

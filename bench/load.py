"""Load from wrk, which keeps connections alive and sends a list of requests over and over."""

import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = """
local number = 0
local requests = {}
for line in io.lines("%s") do requests[#requests + 1] = line:gsub("\\1", "\\n"):gsub("\\2", "\\r") end
function request()
  number = number %% #requests + 1
  return requests[number]
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "errors": %%d, "bytes": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout, summary.bytes))
end
"""


@dataclass(frozen=True)
class Request:
    """One request as a client sends it."""

    method: str
    path: str
    token: str = ""
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        headers = {"Host": "127.0.0.1", "X-Forwarded-Proto": "https", **self.headers}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.body or self.method == "POST":
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(self.body.encode()))
        return headers

    def as_line(self) -> str:
        """The bytes that go over the wire, on one line of a file."""
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.all_headers().items()]
        return "\r\n".join([*lines, "", self.body]).replace("\n", "\1").replace("\r", "\2")


@dataclass(frozen=True)
class Load:
    """What wrk saw; times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int
    bytes: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class FailedRequests(Exception):
    pass


def load(address: str, requests: list[Request], *, seconds: float, connections: int = 8) -> Load:
    """Send the requests in turn, as fast as they are answered. Raises FailedRequests if one of the
    answers was an error."""
    with tempfile.TemporaryDirectory(prefix="parta-wrk-") as folder:
        lines, script = Path(folder) / "requests", Path(folder) / "script.lua"
        lines.write_text("".join(request.as_line() + "\n" for request in requests))
        script.write_text(SCRIPT % lines)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s"]
        finished = subprocess.run(
            [*command, "-s", str(script), address], capture_output=True, text=True, check=True
        )
    line = next(part for part in finished.stdout.splitlines() if part.startswith("RESULT "))
    result = Load(**json.loads(line.removeprefix("RESULT ")))
    if result.errors or not result.requests:
        message = f"{result.errors} errors, {result.requests} answers from {address}"
        raise FailedRequests(message)
    return result

"""Load from wrk, which keeps connections alive and sends a list of requests over and over."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
local number, requests, path = 0, {}, "%s"
function init()
  for line in io.lines(path) do
    local target, token = line:match("(%%S+) (%%S+)")
    local headers = {Host = "127.0.0.1", Authorization = "Bearer " .. token, ["X-Forwarded-Proto"] = "https"}
    requests[#requests + 1] = wrk.format("GET", target, headers)
  end
end
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
    """What is asked for, and the bearer's token."""

    path: str
    token: str


@dataclass(frozen=True)
class Load:
    """What wrk saw; times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int
    bytes: int


class FailedRequests(Exception):
    pass


def load(address: str, requests: list[Request], *, seconds: float) -> Load:
    """Send the requests in turn, as fast as they are answered. Raises FailedRequests if one of the
    answers was an error."""
    with tempfile.TemporaryDirectory(prefix="parta-wrk-") as folder:
        lines, script = Path(folder) / "requests", Path(folder) / "script.lua"
        lines.write_text("".join(f"{one.path} {one.token}\n" for one in requests))
        script.write_text(SCRIPT % lines)
        command = ["wrk", "-t1", "-c8", f"-d{seconds:.0f}s", "--timeout", "30s"]
        finished = subprocess.run(
            [*command, "-s", str(script), address], capture_output=True, text=True, check=True
        )
    line = next(part for part in finished.stdout.splitlines() if part.startswith("RESULT "))
    result = Load(**json.loads(line.removeprefix("RESULT ")))
    if result.errors or not result.requests:
        message = f"{result.errors} errors, {result.requests} answers from {address}"
        raise FailedRequests(message)
    return result

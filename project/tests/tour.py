"""The README's tour of the API, read from there and taken call by call."""

import argparse
import json
import re
import shlex
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from project.tests.documented import Answer, document

CURL = argparse.ArgumentParser()
CURL.add_argument("address")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-H", dest="headers", action="append", default=[])
CURL.add_argument("-d", dest="body")


def take(api: str) -> int:
    """Make every call of the tour of the API at this address, and return their number.

    AssertionError for an answer that is not as the README shows it, where `…` stands for anything,
    or not as the OpenAPI document says.
    """
    variables = {"API": api}
    token = ""
    calls = 0
    for command, shown in _steps():
        name, _, value = command.partition("=")
        if name in {"TOKEN", "LEARNER"}:
            variables[name] = token
        elif name == "JSON":
            variables[name] = shlex.split(value)[0]
        elif name != "API":
            answer = _call(command, variables)
            assert re.fullmatch(_pattern(shown), answer), f"{command}\n{shown}\n{answer}"
            if access := re.search(r'"access": "(.+?)"', answer):
                token = access[1]
            calls += 1
    return calls


def _steps() -> Iterator[tuple[str, str]]:
    """Each command of the tour with the answer that stands below it, one line each."""
    readme = (settings.BASE_DIR / "README.md").read_text()
    found = re.search(
        r"^## A tour of the API$.*?^```sh$(.*?)^```$", readme, re.MULTILINE | re.DOTALL
    )
    assert found is not None
    lines = re.sub(r"\s*\\\n\s*", " ", found[1]).splitlines()
    commands = [place for place, line in enumerate(lines) if re.match(r"\w", line)]
    for place, next_place in zip(commands, [*commands[1:], len(lines)], strict=True):
        below = "\n".join(lines[place + 1 : next_place])
        answer = re.match(r"(# \d{3} .*(\n#  .*)*)", below)
        yield lines[place], re.sub(r"\n#\s+", " ", answer[1])[2:] if answer else "…"


def _call(command: str, variables: dict[str, str]) -> str:
    """Status and body, the latter as Python writes it."""
    for name, value in variables.items():
        command = command.replace(f"${name}", value)
    curl = CURL.parse_args(shlex.split(command)[1:])
    request = urllib.request.Request(
        curl.address,
        method=curl.method,
        data=curl.body.encode() if curl.body else None,
        headers=dict(header.split(": ", 1) for header in curl.headers),
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            status, sent, body = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        status, sent, body = error.code, error.headers, error.read()
    path = urlsplit(curl.address).path
    answer = Answer(request.get_method(), path, status, sent, body)
    assert list(document().faults_of(answer)) == []
    return f"{status} {json.dumps(json.loads(body), ensure_ascii=False)}"


def _pattern(shown: str) -> str:
    """What is shown before something else is done, as a regular expression."""
    before = shown.partition(" before, ")[0]
    parts = (re.escape(part.strip(" ,")) for part in before.split("…"))
    return ".*".join(parts).replace("8001", r"\d+")  # a test has another port

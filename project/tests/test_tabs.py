"""The tabs of one browser exchange their tokens over real HTTP, with two processes of the server on
the database of the tests."""

import random
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import quote

import pytest
import requests
from django.db import connection

from project.tests.processes import Server

pytestmark = pytest.mark.django_db(transaction=True)

PERSON = {"email": "lev@school.example", "password": "correct horse battery staple"}
PERIODS = 10
TABS = 2
AT_ONCE = 8


def database_of_the_tests(folder: Path) -> str:
    """Its address for another process; of SQLite a copy, the original may lie in memory."""
    if connection.vendor == "postgresql":
        given = {
            name: quote(str(value), safe="") for name, value in connection.settings_dict.items()
        }
        who = f"{given['USER']}:{given['PASSWORD']}@" if given["PASSWORD"] else f"{given['USER']}@"
        return f"postgres://{who}{given['HOST']}:{given['PORT']}/{given['NAME']}"
    path = folder / "db.sqlite3"
    connection.ensure_connection()
    with closing(sqlite3.connect(path)) as copy:
        connection.connection.backup(copy)
    return f"sqlite:///{path}"


class Browser:
    """What the tabs of a browser share: the token that the last of them stored."""

    def __init__(self, url: str) -> None:
        self.url = url
        tokens = self.post("auth/token", PERSON).json()
        self.stored, self.access = tokens["refresh"], tokens["access"]
        assert tokens["expires_in"] == 2

    def post(self, path: str, body: Any) -> requests.Response:
        answer: requests.Response = requests.post(
            f"{self.url}/api/v1/{path}", json=body, timeout=60
        )
        return answer

    def refresh(self, token: str) -> requests.Response:
        return self.post("auth/token/refresh", {"refresh": token})

    def open_tab(self, dice: random.Random, line: Barrier) -> list[int]:
        """Exchange the stored token once a period, and again while the answer is lost; return the
        statuses."""
        statuses = []
        for _period in range(PERIODS):
            line.wait(60)
            is_lost = True
            while is_lost:
                answer = self.refresh(self.stored)
                statuses.append(answer.status_code)
                is_lost = dice.random() < 0.5
            self.stored, self.access = answer.json()["refresh"], answer.json()["access"]
            line.wait(60)
        return statuses

    def is_let_in(self) -> bool:
        headers = {"Authorization": f"Bearer {self.access}"}
        return requests.get(f"{self.url}/api/v1/users/me", headers=headers, timeout=60).ok


@pytest.fixture
def two_tabs(tmp_path: Path) -> Iterator[Browser]:
    server = Server(
        tmp_path,
        workers=2,
        DATABASE_URL=database_of_the_tests(tmp_path),
        ACCESS_TOKEN_LIFETIME="2s",
        REFRESH_TOKEN_LIFETIME="20s",
    )
    try:
        url = f"{server.url}/api/v1/auth/register"
        assert requests.post(url, json=PERSON, timeout=60).status_code == 201
        yield Browser(server.url)
    finally:
        server.process.terminate()
        server.process.wait(timeout=60)


def test_two_tabs_that_lose_answers_stay_logged_in(two_tabs):
    line = Barrier(TABS)
    dice = [random.Random(number) for number in range(TABS)]
    with ThreadPoolExecutor(TABS) as pool:
        tabs = [pool.submit(two_tabs.open_tab, one, line) for one in dice]
        statuses = [status for tab in tabs for status in tab.result(timeout=120)]
    assert len(statuses) > TABS * PERIODS, "no answer was lost"
    assert set(statuses) == {200}
    assert two_tabs.is_let_in()


def test_eight_exchanges_at_once_give_one_successor_and_a_stolen_token_ends_it(two_tabs):
    stolen = two_tabs.stored
    line = Barrier(AT_ONCE)

    def exchange() -> Any:
        line.wait(60)
        return two_tabs.refresh(stolen)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [
            one.result(timeout=120) for one in [pool.submit(exchange) for _ in range(AT_ONCE)]
        ]
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    (successor,) = {answer.json()["refresh"] for answer in answers}
    newest = two_tabs.refresh(successor).json()["refresh"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(two_tabs.refresh, [stolen] * AT_ONCE))
    assert sorted(answer.json()["code"] for answer in answers) == [
        *["invalid_token"] * (AT_ONCE - 1),
        "token_reused",
    ]
    for token in (successor, newest):
        assert two_tabs.refresh(token).json()["code"] == "invalid_token"

"""Databases of the measurements."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.database import copy_of_own_database


def test_a_copy_has_the_rows_and_grows_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.sqlite3"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{own}")
    with closing(sqlite3.connect(own)) as connection:
        # As on Django's connections; others don't know this function of our constraints.
        connection.create_function("regexp", 2, lambda pattern, text: pattern in text)
        connection.execute("CREATE TABLE row (name TEXT CHECK (name REGEXP 'a'))")
        connection.execute("INSERT INTO row VALUES ('a')")
        connection.commit()
        with copy_of_own_database() as url:
            connection.execute("INSERT INTO row VALUES ('aa')")
            connection.commit()
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as copy:
                assert copy.execute("SELECT name FROM row").fetchall() == [("a",)]

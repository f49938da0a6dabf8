"""Folders for commands that are run as an operator runs them, and a way into the admin."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from project.tests.processes import KEY, Server


@pytest.fixture
def own_processes() -> None:
    """Tests of real processes run once, with an SQLite file of their own."""
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    if connection.vendor != "sqlite":
        pytest.skip("the run on SQLite has it: the processes have a file of their own anyway")


@pytest.fixture
def prepared(own_processes: None, tmp_path: Path, db: None) -> Path:
    """A folder as an earlier `up` left it: settings, and a database with all migrations.

    Of the fixtures it has to be `db`: where no test asks for that one, there are no tables.
    """
    (tmp_path / ".env").write_text(f"SECRET_KEY={KEY}\nDEBUG=on\n")
    database = str(connection.settings_dict["NAME"])
    with (
        closing(sqlite3.connect(database)) as source,
        closing(sqlite3.connect(tmp_path / "db.sqlite3")) as copy,
    ):
        source.backup(copy)
    return tmp_path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings_module = "project.tests.failing_settings"
    server = Server(tmp_path_factory.mktemp("server"), DJANGO_SETTINGS_MODULE=settings_module)
    yield server
    server.process.terminate()
    assert server.process.wait(timeout=60) == 0

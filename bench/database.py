"""A database of its own for a script: made before Django starts, gone when the script ends.

`DATABASE_URL=postgres://…` names a server on which a database may be created; without it the
script works on an SQLite file.
"""

import os
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import django
import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg.sql import SQL, Identifier


@contextmanager
def own_database(**environment: str) -> Iterator[None]:
    """Set Django up with a migrated database and with these environment variables."""
    url = os.environ.get("DATABASE_URL", "")
    with tempfile.TemporaryDirectory(prefix="parta-bench-") as folder:
        name = f"parta_bench_{uuid.uuid4().hex[:8]}"
        own = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
        if url.startswith("postgres"):
            _on_server(url, SQL("CREATE DATABASE {}").format(Identifier(name)))
            own = urlsplit(url)._replace(path=f"/{name}").geturl()
        defaults = {"ENV_FILE": "", "SECRET_KEY": uuid.uuid4().hex * 2, "LOG_LEVEL": "ERROR"}
        os.environ |= defaults | {"MEDIA_ROOT": folder, "DATABASE_URL": own} | environment
        os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
        django.setup()
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            connections.close_all()
            if url.startswith("postgres"):
                drop = SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name))
                _on_server(url, drop)


@contextmanager
def copy_of_own_database() -> Iterator[str]:
    """The address of a copy of the database that `own_database` made; nobody else may use that
    meanwhile."""
    own = urlsplit(os.environ["DATABASE_URL"])
    path = f"{own.path}_copy"
    connections.close_all()
    if own.scheme == "sqlite":
        with closing(sqlite3.connect(own.path)) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
        yield own._replace(path=path).geturl()
        return
    names = [Identifier(name.removeprefix("/")) for name in (path, own.path)]
    _on_server(own.geturl(), SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
    try:
        yield own._replace(path=path).geturl()
    finally:
        _on_server(own.geturl(), SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


def _on_server(url: str, statement: "psycopg.sql.Composed") -> None:
    server = urlsplit(url)._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)

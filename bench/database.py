"""A database of its own for a script: made before Django starts, gone when the script ends.

`DATABASE_URL=postgres://…` names a server on which a database may be created; without it the
script works on an SQLite file.
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import django
import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg.sql import SQL, Identifier

ON_THIS_MACHINE = "postgres://postgres@127.0.0.1:5432/postgres"


def server_url() -> str:
    """The PostgreSQL to measure on."""
    url = os.environ.get("DATABASE_URL", "")
    return url if url.startswith("postgres") else ON_THIS_MACHINE


@contextmanager
def own_database(**environment: str) -> Iterator[None]:
    """Set Django up with a migrated database and with these environment variables."""
    url = os.environ.get("DATABASE_URL", "")
    with tempfile.TemporaryDirectory(prefix="parta-bench-") as folder:
        name = f"parta_bench_{uuid.uuid4().hex[:8]}"
        own = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
        if url.startswith("postgres"):
            _on_server(url, "CREATE DATABASE {}", name)
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
                _on_server(url, "DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def copied(name: str) -> Iterator[str]:
    """The name of a copy of a database on PostgreSQL; nobody else may use that meanwhile."""
    connections.close_all()
    url, copy = os.environ["DATABASE_URL"], f"{name}_copy"
    _on_server(url, "CREATE DATABASE {} TEMPLATE {}", copy, name)
    try:
        yield copy
    finally:
        connections.close_all()
        _on_server(url, "DROP DATABASE {} WITH (FORCE)", copy)


def _on_server(url: str, statement: LiteralString, *names: str) -> None:
    server = urlsplit(url)._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL(statement).format(*map(Identifier, names)))

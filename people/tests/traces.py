"""Looking for words in all that is kept: each column of each table, files, sessions, tasks, the cache."""

from collections.abc import Collection, Iterator
from typing import IO
from zipfile import ZipFile, is_zipfile

from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.storage import Storage, storages
from django.db import connection
from django_q.models import OrmQ, Task


def places_of(words: Collection[str]) -> dict[str, set[str]]:
    """Each word that is found, whatever its letter case, with the places."""
    found: dict[str, set[str]] = {}
    for place, text in everything():
        folded = text.lower()
        for word in words:
            if word.lower() in folded:
                found.setdefault(word, set()).add(place)
    return found


def everything() -> Iterator[tuple[str, str]]:
    yield from _cells()
    # What a cell holds in a form of its own.
    for task in Task.objects.iterator():
        yield "django_q_task, unpacked", f"{task.args} {task.kwargs} {task.result}"
    for waiting in OrmQ.objects.iterator():
        yield "django_q_ormq, unpacked", str(waiting.task)
    for session in Session.objects.iterator():
        yield "django_session, unpacked", str(session.get_decoded())
    for name in storages.backends:
        if name != "staticfiles":
            yield from _files(storages[name], "")
    yield "cache", str(vars(cache).get("_cache"))


def _cells() -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, cell in zip(columns, row, strict=True):
                    raw = isinstance(cell, bytes | memoryview)
                    yield f"{table}.{column}", bytes(cell).decode("latin-1") if raw else str(cell)


def _content(file: IO[bytes]) -> bytes:
    if not is_zipfile(file):
        return file.read()
    packed = ZipFile(file)
    return b"".join(map(packed.read, packed.namelist()))


def _files(storage: Storage, folder: str) -> Iterator[tuple[str, str]]:
    folders, files = storage.listdir(folder)
    for name in files:
        with storage.open(f"{folder}/{name}".lstrip("/")) as file:
            yield f"{folder}/{name}", f"{name} {_content(file).decode('latin-1')}"
    for name in folders:
        yield from _files(storage, f"{folder}/{name}".lstrip("/"))

"""Texts kept in the form in which they are searched, and their index on SQLite."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, override

from django.apps import AppConfig
from django.apps.registry import Apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from project.common.db.derived import DerivedField, derived_fields

# Accents of Latin, Greek and Cyrillic letters, but for those that make another letter: й, ў, ї, ѓ, ќ.
ACCENTS = re.compile("(?!(?<=[иу])\u0306|(?<=і)\u0308|(?<=[гк])\u0301)[\u0300-\u036f]")


def normalised(text: str) -> str:
    """The text as searches compare it: without letter case and accents, ё as е, letters the same
    however they are composed, and words with one space between them."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = unicodedata.normalize("NFC", ACCENTS.sub("", folded))
    return " ".join(plain.replace("\0", " ").split())


class SearchedField(DerivedField, models.TextField):  # type: ignore[type-arg]
    """Keeps other fields or properties of the row normalised. `has_words` is how to search it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default": "", **options})

    @override
    def derive(self, row: models.Model) -> str:
        return normalised("\n".join(self._texts(row)))

    def _texts(self, row: models.Model) -> Iterable[str]:
        for name in self.of:
            try:
                yield getattr(row, name)
            except ObjectDoesNotExist:
                # A fixture may bring a row before those that it refers to.
                continue


def search_table(model: type[models.Model]) -> str:
    """The name of the table by which SQLite finds the rows of the model."""
    return f"{model._meta.db_table}_searched"


def create_search_tables(
    sender: AppConfig, *, using: str, apps: Apps | None = None, **_others: object
) -> None:
    """After each migration: give the models of an app that are searched their index on SQLite, a
    table of FTS5 with all sequences of three letters, kept by triggers.

    No migration does it: whenever one changes a table, Django makes it anew, without its triggers.
    """
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    for model in sender.get_models():
        names = {one.attname for one in derived_fields(model) if isinstance(one, SearchedField)}
        migrated = apps and apps.all_models[sender.label].get(str(model._meta.model_name))
        # It may have been migrated back to where there were none.
        if names and migrated and names <= {one.attname for one in migrated._meta.concrete_fields}:
            _create_search_table(connection, model, sorted(names))


def _create_search_table(
    connection: BaseDatabaseWrapper, model: type[models.Model], columns: Sequence[str]
) -> None:
    quote = connection.ops.quote_name
    rows, key = model._meta.db_table, model._meta.pk.attname
    index = search_table(model)
    names = ", ".join(map(quote, columns))
    new, old = (
        ", ".join(f"{row}.{quote(name)}" for name in (key, *columns)) for row in ("new", "old")
    )
    add = f"INSERT INTO {quote(index)} (rowid, {names}) VALUES ({new});"  # noqa: S608
    forget = (
        f"INSERT INTO {quote(index)} ({quote(index)}, rowid, {names}) "  # noqa: S608
        f"VALUES ('delete', {old});"
    )
    triggers = {
        f"{index}_insert": ("INSERT", add),
        f"{index}_delete": ("DELETE", forget),
        f"{index}_update": (f"UPDATE OF {quote(key)}, {names}", forget + add),
    }
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        if triggers.keys() <= {name for (name,) in cursor.fetchall()}:
            return
        cursor.execute(f"DROP TABLE IF EXISTS {quote(index)}")
        cursor.execute(
            f"CREATE VIRTUAL TABLE {quote(index)} USING fts5"
            f"({names}, content={quote(rows)}, content_rowid={quote(key)}, tokenize='trigram')"
        )
        for name, (event, statements) in triggers.items():
            cursor.execute(f"DROP TRIGGER IF EXISTS {quote(name)}")
            cursor.execute(
                f"CREATE TRIGGER {quote(name)} AFTER {event} ON {quote(rows)} BEGIN {statements} END"
            )
        cursor.execute(f"INSERT INTO {quote(index)} ({quote(index)}) VALUES ('rebuild')")  # noqa: S608

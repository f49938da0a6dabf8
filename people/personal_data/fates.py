"""How the registry says what becomes of a table and its columns."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

EXPORTED = "*"


@dataclass(frozen=True)
class Why:
    """For how long something is kept after the erasure, and why."""

    how_long: str
    because: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """What becomes of each column of a model.

    Columns are named in one text; those with a star are in the export. At the erasure rows are
    `deleted`, or columns `erased`, or `kept` for a reason; `nothing` says why the others tell nothing
    of a person. The primary key needs no word: it goes and stays with its row.

    `of` leads from a row to its person; without it the erasure has code of its own for the table.
    `forgotten` says when the rows go by themselves.
    """

    model: str
    of: str = ""
    # The name of the file in the export.
    file: str = ""
    deleted: str = ""
    erased: str = ""
    # Only these rows are deleted or emptied.
    where: Mapping[str, object] = field(default_factory=dict)
    kept: Mapping[Why, str] = field(default_factory=dict)
    nothing: Mapping[str, str] = field(default_factory=dict)
    forgotten: str = ""

    @property
    def texts(self) -> Collection[str]:
        return (self.deleted, self.erased, *self.kept.values(), *self.nothing.values())

    @property
    def columns(self) -> list[str]:
        return names(" ".join(self.texts))

    @property
    def exported(self) -> list[str]:
        words = " ".join(self.texts).split()
        return [word.removesuffix(EXPORTED) for word in words if word.endswith(EXPORTED)]

    def get_model(self) -> type[Model]:
        return apps.get_model(self.model)

    def rows_of(self, person_id: int) -> QuerySet[Any]:
        return self.get_model()._base_manager.filter(**{self.of: person_id})  # noqa: SLF001


def names(text: str) -> list[str]:
    return [word.removesuffix(EXPORTED) for word in text.split()]


def without_fate(registry: Iterable[Table], models: Iterable[type[Model]]) -> list[str]:
    """The columns of these models that the registry doesn't name."""
    known = {table.model: {*table.columns} for table in registry}
    return [
        f"{model._meta.label}.{column.name}"
        for model in models
        if not model._meta.proxy
        for column in model._meta.concrete_fields
        if not column.primary_key and column.name not in known.get(model._meta.label, ())
    ]

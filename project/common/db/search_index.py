"""What migrations do for searches: the index behind `contains` (project.common.db.search), and the
texts that are searched."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import override

from django.db import transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState, StateApps

from project.common.db.searched import normalised as as_searched

BATCH = 1000


class CreateSearchIndex(Operation):
    """On PostgreSQL, let `contains` find words of three letters and more in fields of a large table
    without reading it all. SQLite reads it all, but for texts that are kept `normalised`.

    The expressions of the index are those that Django writes for `icontains`, or for `LIKE`. It is no
    index of the model, because SQLite has nothing like it.
    """

    reversible = True
    reduces_to_sql = True
    category = OperationCategory.ADDITION

    def __init__(
        self, model_name: str, fields: list[str], name: str, *, normalised: bool = False
    ) -> None:
        self.model_name, self.fields, self.name = model_name, fields, name
        self.normalised = normalised

    def describe(self) -> str:
        return f"Create search index {self.name} of {', '.join(self.fields)} of {self.model_name}"

    @override
    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Models know nothing of it."""

    @override
    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return
        options = to_state.apps.get_model(app_label, self.model_name)._meta
        columns = [options.get_field(name).column for name in self.fields]
        quoted = schema_editor.quote_name
        expression = "{}" if self.normalised else "UPPER({}::text)"
        words = ", ".join(f"{expression.format(quoted(one))} gin_trgm_ops" for one in columns)
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        schema_editor.execute(
            f"CREATE INDEX IF NOT EXISTS {quoted(self.name)} ON {quoted(options.db_table)} USING gin ({words})"
        )

    @override
    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """The extension stays: other indexes need it."""
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {schema_editor.quote_name(self.name)}")


class DropSearchIndex(CreateSearchIndex):
    category = OperationCategory.REMOVAL

    def describe(self) -> str:
        return f"Drop search index {self.name} of {', '.join(self.fields)} of {self.model_name}"

    database_forwards = CreateSearchIndex.database_backwards
    database_backwards = CreateSearchIndex.database_forwards


def fill_searched(
    app_label: str, model_name: str, columns: dict[str, Sequence[str]]
) -> Callable[[StateApps, BaseDatabaseSchemaEditor], None]:
    """For `RunPython`: fill in the columns, each made of some fields, of rows from before there were
    such columns. A batch is a transaction of its own, which locks its rows: an edit at the same
    moment is not overwritten. Stopped half-way, it may be run again, in a migration that is not
    atomic."""
    return partial(_fill_searched, app_label, model_name, columns)


def _fill_searched(
    app_label: str,
    model_name: str,
    columns: dict[str, Sequence[str]],
    apps: StateApps,
    schema_editor: BaseDatabaseSchemaEditor,
) -> None:
    alias = schema_editor.connection.alias
    rows = apps.get_model(app_label, model_name)._base_manager.using(alias).order_by("pk")  # noqa: SLF001 - documented
    fields = {name for names in columns.values() for name in names}
    empty = rows.filter(**dict.fromkeys(columns, ""))
    last = 0
    while keys := list(empty.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        last = keys[-1]
        with transaction.atomic(using=alias):
            batch = list(rows.filter(pk__in=keys).only(*fields).select_for_update())
            for row in batch:
                for column, names in columns.items():
                    texts = [getattr(row, name) for name in names]
                    setattr(row, column, as_searched("\n".join(texts)))
            rows.bulk_update(batch, [*columns])

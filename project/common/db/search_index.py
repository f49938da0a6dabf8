"""The index behind `contains` (project.common.db.search), as an operation of migrations."""

from typing import override

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState


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
            f"CREATE INDEX {quoted(self.name)} ON {quoted(options.db_table)} USING gin ({words})"
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
            schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(self.name)}")


class DropSearchIndex(CreateSearchIndex):
    category = OperationCategory.REMOVAL

    def describe(self) -> str:
        return f"Drop search index {self.name} of {', '.join(self.fields)} of {self.model_name}"

    database_forwards = CreateSearchIndex.database_backwards
    database_backwards = CreateSearchIndex.database_forwards

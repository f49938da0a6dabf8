"""Sums of amounts that are right to the last digit."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet, Sum
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import BaseTable


class ExactSum(Sum):
    """The sum of amounts with two decimal places: SQLite adds decimals as floating-point numbers, and
    is told to add whole hundredths."""

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> Any:
        hundredths = "SUM(CAST(ROUND(%(expressions)s * 100) AS INTEGER))%(filter)s / 100.0"
        return self.as_sql(compiler, connection, template=hundredths, **extra)


class _WholeTable(BaseTable):
    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        sql, parameters = super().as_sql(compiler, connection)
        return f"{sql} NOT INDEXED" if connection.vendor == "sqlite" else sql, parameters


def read_in_order[R: QuerySet[Model]](rows: R) -> R:
    """The same rows, for which SQLite reads its table from beginning to end. It takes an index for
    each condition that has one, however many rows meet it, and then fetches these one by one from all
    over the file: for most of a million that takes eight times as long."""
    read: R = rows.all()
    alias = read.query.get_initial_alias()
    read.query.alias_map[alias] = _WholeTable(read.model._meta.db_table, alias)
    return read

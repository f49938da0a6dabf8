"""Sums of amounts that are right to the last digit."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Sum
from django.db.models.sql.compiler import SQLCompiler


class ExactSum(Sum):
    """The sum of amounts with two decimal places: SQLite adds decimals as floating-point numbers, and
    is told to add whole hundredths."""

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> Any:
        hundredths = "SUM(CAST(ROUND(%(expressions)s * 100) AS INTEGER))%(filter)s / 100.0"
        return self.as_sql(compiler, connection, template=hundredths, **extra)

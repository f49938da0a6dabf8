"""Emptying the database after a test that committed. Django's `flush` takes seconds on PostgreSQL:
for tables that are empty already, and for what `migrate` wrote and nobody changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import TransactionTestCase
from django_q.models import Schedule

WRITTEN_BY_MIGRATE = (ContentType, Permission, Schedule)


@contextmanager
def quick_emptying() -> Iterator[None]:
    """Have only those tables emptied that a test filled, and leave what `migrate` wrote."""
    case_class: Any = TransactionTestCase
    flush = case_class._fixture_teardown
    written = _written_by_migrate()

    def empty(case: TransactionTestCase) -> None:
        nonlocal written
        _empty_others()
        if _written_by_migrate() != written:
            flush(case)
            written = _written_by_migrate()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case_class, "_fixture_teardown", empty)
        yield


def _written_by_migrate() -> list[list[tuple[object, ...]]]:
    return [list(model.objects.order_by("pk").values_list()) for model in WRITTEN_BY_MIGRATE]


def _empty_others() -> None:
    models = set(apps.get_models(include_auto_created=True)) - set(WRITTEN_BY_MIGRATE)
    tables = {model._meta.db_table for model in models if model._meta.managed}
    found = [f"SELECT '{table}' WHERE EXISTS (SELECT * FROM {table})" for table in tables]  # noqa: S608
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(found))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608

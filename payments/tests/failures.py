"""A database that fails in the midst of something, to see that nothing stays half done."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection

Rows = dict[str, list[Any]]
APPS = ("payments", "lms", "mail")


def everything() -> Rows:
    """All rows of what a payment may change."""
    models = [model for name in APPS for model in apps.get_app_config(name).get_models()]
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models
    }


def failing_at(number: int, act: Callable[[], object]) -> bool:
    """Run `act` with a database that refuses all writes from this number on, counted from 0. Say
    whether there were so many."""
    writes = iter(range(number + 1))
    refused = False

    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        nonlocal refused
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and next(writes, number) == number:
            refused = True
            raise OperationalError("the disk is full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(refuse), suppress(OperationalError):
        act()
    return refused

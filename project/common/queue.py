"""The only door into the background, and the only module that knows the cluster (Django-Q2)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Task
from django_q.tasks import async_task


def enqueue(path: str, *args: Any, **options: Any) -> None:
    """Run the function at the dotted `path` in a worker, once the present transaction commits.

    Arguments are primary keys and plain values. The broker delivers at least once: the task has
    to be idempotent. Raises ImportError at once for a path that leads nowhere.
    """
    import_string(path)
    transaction.on_commit(lambda: async_task(path, *args, **options))


def last_execution() -> datetime | None:
    """When a worker last finished a task, well or badly; None if none is on record."""
    stopped: datetime | None = (
        Task.objects.order_by("-stopped").values_list("stopped", flat=True).first()
    )
    return stopped


def waiting_count() -> int:
    """How many tasks wait for a worker."""
    count: int = OrmQ.objects.count()
    return count

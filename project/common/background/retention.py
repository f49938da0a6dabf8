"""What libraries keep for ever, and we do not: records of people's doings, after a while."""

from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from django.apps import apps
from django.core.files.storage import storages
from django.utils import timezone

from project.common.kept_files import TABLES

# Rows that one statement deletes.
STEP = 5000


class Kept(NamedTuple):
    """Rows of a model go `period` after the moment in a column of theirs."""

    model: str
    moment: str
    period: timedelta


SESSIONS = Kept("sessions.Session", "expire_date", timedelta(0))
FAILED_TASKS = Kept("django_q.Task", "stopped", timedelta(days=30))
STAFF_LOG = Kept("admin.LogEntry", "action_time", timedelta(days=3 * 365))

# Tables of payments that were uploaded to the version before this one; the next one knows no such folder.
UPLOADS, UPLOADS_KEPT = "django-import-export", timedelta(days=1)


def forget_old_rows(kept: Kept, *, steps: int = 20) -> int:
    """Delete rows whose time is over, at most `steps` × STEP at a time. Returns their number."""
    model = apps.get_model(kept.model)
    rows = model._base_manager.filter(  # noqa: SLF001
        **{f"{kept.moment}__lt": timezone.now() - kept.period}
    )
    deleted = 0
    for _step in range(steps):
        count = model._base_manager.filter(  # noqa: SLF001
            pk__in=rows.order_by("pk").values("pk")[:STEP]
        ).delete()[0]
        deleted += count
        if count < STEP:
            break
    return deleted


def forget_old_uploads() -> int:
    """Delete uploaded tables whose day is over; return how many."""
    storage, old = storages["private"], []
    with suppress(FileNotFoundError):  # nobody has ever uploaded one
        paths = [f"{UPLOADS}/{name}" for name in storage.listdir(UPLOADS)[1]]
        limit = timezone.now() - UPLOADS_KEPT
        old = [path for path in paths if storage.get_modified_time(path) < limit]
    for path in old:
        storage.delete(path)
    return len(old) + TABLES.forget_old()

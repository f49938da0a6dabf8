"""What libraries keep for ever, and we do not: records of people's doings, after a while."""

from datetime import timedelta
from typing import NamedTuple

from django.apps import apps
from django.utils import timezone

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

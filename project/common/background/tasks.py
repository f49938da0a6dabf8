"""Background work that belongs to no app."""

from datetime import timedelta

from django.utils import timezone

from project.common import chosen_pictures
from project.common.background.outcomes import Counts
from project.common.background.queue import (
    enqueue,
    forget_older_successes,
    forget_unanswered,
)
from project.common.background.retention import (
    FAILED_TASKS,
    SESSIONS,
    STAFF_LOG,
    forget_old_rows,
    forget_old_uploads,
)
from project.common.background.schedules import SCHEDULES
from project.common.old_pictures import convert_pictures

CANARY = "project.common.background.tasks.canary"
CONVERT = "project.common.background.tasks.convert_old_pictures"
SIGN_OF_LIFE = "project.common.background.tasks.sign_of_life"
# Longer than any guard waits for an answer.
ANSWERED_WITHIN = timedelta(minutes=10)


def canary() -> Counts:
    """Do nothing, once a minute: that it ran is what `/readyz` looks for."""
    for schedule in SCHEDULES:
        if schedule.minutes:
            forget_older_successes(schedule.path)
    forget_unanswered(before=timezone.now() - ANSWERED_WITHIN)
    return {}


def sign_of_life(cluster: str) -> Counts:
    """Do nothing: the guard of this cluster asks whether it works."""
    forget_older_successes(SIGN_OF_LIFE, cluster)
    return {}


def convert_old_pictures(field: int = 0, after: int = 0) -> Counts:
    """Convert pictures from before there were thumbnails: at once after the upgrade, and once a day,
    in case a file was put back; what is left is done by another task."""
    done = convert_pictures(seconds=20, field=field, after=after)
    if done.rest is not None:
        enqueue(CONVERT, *done.rest)
    return {"pictures_converted": done.converted}


def forget_old_records() -> Counts:
    """Delete what is kept of sessions, failed tasks, the doings of staff, tables that nobody imported and
    pictures that nobody saved once its time is over; to be scheduled once a day."""
    return {
        "sessions_forgotten": forget_old_rows(SESSIONS),
        "failed_tasks_forgotten": forget_old_rows(FAILED_TASKS),
        "log_entries_forgotten": forget_old_rows(STAFF_LOG),
        "tables_forgotten": forget_old_uploads(),
        "pictures_forgotten": chosen_pictures.forget_old(),
    }

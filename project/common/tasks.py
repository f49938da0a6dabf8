"""Background work that belongs to no app."""

from project.common.queue import forget_older_successes
from project.common.schedules import SCHEDULES

CANARY = "project.common.tasks.canary"


def canary() -> str:
    """Do nothing, once a minute: that it ran is what `/readyz` looks for."""
    for schedule in SCHEDULES:
        if schedule.minutes:
            forget_older_successes(schedule.path)
    return "alive"

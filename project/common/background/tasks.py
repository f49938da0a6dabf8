"""Background work that belongs to no app."""

from datetime import timedelta

from django.utils import timezone

from project.common.background.queue import forget_older_successes, forget_unanswered
from project.common.background.schedules import SCHEDULES

CANARY = "project.common.background.tasks.canary"
SIGN_OF_LIFE = "project.common.background.tasks.sign_of_life"
# Longer than any guard waits for an answer.
ANSWERED_WITHIN = timedelta(minutes=10)


def canary() -> str:
    """Do nothing, once a minute: that it ran is what `/readyz` looks for."""
    for schedule in SCHEDULES:
        if schedule.minutes:
            forget_older_successes(schedule.path)
    forget_unanswered(before=timezone.now() - ANSWERED_WITHIN)
    return "alive"


def sign_of_life(cluster: str) -> str:
    """Do nothing: the guard of this cluster asks whether it works."""
    forget_older_successes(SIGN_OF_LIFE, cluster)
    return "alive"

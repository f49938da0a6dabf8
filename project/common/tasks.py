"""Background work that belongs to no app."""

from django.core.management import call_command

from project.common.queue import forget_older_successes

CANARY = "project.common.tasks.canary"


def canary() -> str:
    """Do nothing, once a minute: that it ran is what `/readyz` looks for."""
    forget_older_successes(CANARY)
    return "alive"


def delete_expired_tokens() -> str:
    """Delete refresh tokens that nobody could use any more."""
    call_command("flushexpiredtokens", verbosity=0)
    return "expired tokens deleted"

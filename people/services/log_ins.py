"""The record of who logged in, and who was refused."""

from django.utils import timezone

from people.clients import Client
from people.models import Door, LogIn, LogInOutcome, User
from people.models.log_ins import LOG_INS_KEPT, LOG_INS_KEPT_FOR
from project.common.background.retention import Kept, forget_old_rows


def note_log_in(user: User | None, *, door: Door, outcome: LogInOutcome, client: Client) -> None:
    """Write down an attempt at this account, and forget the oldest of too many."""
    LogIn.objects.create(
        user=user,
        at=timezone.now(),
        door=door,
        outcome=outcome,
        address=client.address,
        device=client.device,
    )
    own = LogIn.objects.filter(user=user).order_by("-pk").values("pk")
    LogIn.objects.filter(pk__in=own[LOG_INS_KEPT:]).delete()


def forget_old() -> int:
    """Delete what was written LOG_INS_KEPT_FOR ago; return how many there were."""
    return forget_old_rows(Kept(LogIn._meta.label, "at", LOG_INS_KEPT_FOR))

"""Background work about people. Tasks take primary keys and re-read; each sends to whom the rule
still applies when it runs."""

from people import tokens
from people.models import User
from people.services import admin_sessions, books, erasing, exports, log_ins
from people.services.inactivity import sweep
from project.common.background.outcomes import Counts
from project.common.background.queue import enqueue
from project.mail.limits import EnoughForToday
from project.mail.services import send_to_one


def send_password_reset_mail(user_id: int | None, request: str) -> Counts:
    """Send a link for a new password; None stands for an e-mail that nobody has. `request` is the
    same in a repeat of the task: one request is one mail."""
    user = User.objects.not_erased().filter(pk=user_id).first()
    return _send("password_reset", user, request)


def send_reactivation_mail(user_id: int | None, request: str) -> Counts:
    """Send a link that lifts a block for inactivity; as `send_password_reset_mail`. To an address that
    is not confirmed goes the one that confirms it, which lifts such a block as well."""
    user = User.objects.blocked_for_inactivity().filter(pk=user_id).first()
    is_confirmed = user is None or user.is_email_confirmed
    return _send("reactivation" if is_confirmed else "email_confirmation", user, request)


def _send(kind: str, user: User | None, request: str) -> Counts:
    if user is None:
        return {}
    try:
        send_to_one(kind, user, key=request)
    except EnoughForToday:
        return {"refused_today": 1}
    return {"mails_written": 1}


def sweep_inactive() -> Counts:
    """Warn and block who was not here for long; to be scheduled by INACTIVITY_SWEEP_CRON."""
    result = sweep(seconds=30)
    if not result.finished:
        enqueue("people.tasks.sweep_inactive")
    return {"people_warned": result.warned, "people_blocked": result.blocked}


def forget_expired_tokens() -> Counts:
    """Delete the records of refresh tokens that time has ended; to be scheduled once a day."""
    return {"tokens_forgotten": tokens.forget_expired()}


def make_export(export_id: str) -> Counts:
    """Put together all that is kept of a person, and send them the link to it."""
    return {"exports_made": int(exports.make_export(export_id))}


def forget_old_exports() -> Counts:
    """Delete exports whose week is over; to be scheduled once a day."""
    return {"exports_forgotten": exports.forget_old_exports()}


def erase_late_traces() -> Counts:
    """Delete what was written about people while they were erased; to be scheduled once a day."""
    return {"traces_erased": erasing.erase_late_traces()}


def forget_old_books() -> Counts:
    """Delete payments of erased people that the law no longer asks for; to be scheduled once a day."""
    return {"payments_forgotten": books.forget_old_payments()}


def forget_log_ins() -> Counts:
    """Delete what is too old of who logged in, and sessions that are over; to be scheduled daily."""
    return {
        "log_ins_forgotten": log_ins.forget_old(),
        "sessions_forgotten": admin_sessions.forget_dead(),
    }

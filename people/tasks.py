"""Background work about people. Tasks take primary keys and re-read; each sends to whom the rule
still applies when it runs."""

from people import mails, tokens
from people.models import User


def send_password_reset_mail(user_id: int | None) -> str:
    """Send a link for a new password; None stands for an e-mail that nobody has."""
    user = User.objects.not_erased().filter(pk=user_id).first()
    if user is None:
        return "nobody to write to"
    mails.password_reset(user).send()
    return f"sent to person {user.pk}"


def send_reactivation_mail(user_id: int | None) -> str:
    """Send a link that lifts a block for inactivity; None stands for an e-mail that nobody has."""
    user = User.objects.blocked_for_inactivity().filter(pk=user_id).first()
    if user is None:
        return "nobody to write to"
    mails.reactivation(user).send()
    return f"sent to person {user.pk}"


def forget_expired_tokens() -> str:
    """Delete the records of refresh tokens that time has ended; to be scheduled once a day."""
    return f"{tokens.forget_expired()} expired tokens forgotten"

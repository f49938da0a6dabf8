"""The log-in page of the admin: counted, slowed down and logged as the API's log-in."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from redis.exceptions import RedisError
from unfold.forms import AuthenticationForm

from people import login_queue, throttles
from people.clients import client_of
from people.models import Door, LogInOutcome, User
from people.services.log_ins import note_log_in
from project.common.errors import DomainError, Throttled


def said(error: DomainError) -> str:
    """An error in words, with how long to wait."""
    if error.retry_after is None:
        return str(error)
    return _("Too many attempts. Try again in %(seconds)d s.") % {"seconds": error.retry_after}


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    def clean(self) -> Any:
        email = self.cleaned_data.get("username", "")
        try:
            with throttles.login_attempt(self.request, email=email):
                return self.checked(email)
        except Throttled as error:
            raise ValidationError(said(error), code="throttled") from None
        except RedisError:
            raise ValidationError(
                _("Nobody can log in at the moment. Try again later."), code="unavailable"
            ) from None

    def checked(self, email: str) -> Any:
        """Check the password, and write down who was refused; who is let in is written down when
        their session begins."""
        try:
            with login_queue.turn():
                return super().clean()
        except ValidationError:
            user = User.objects.by_email(email).first()
            client = client_of(self.request)
            note_log_in(user, door=Door.ADMIN, outcome=self.outcome(user), client=client)
            raise

    def outcome(self, user: User | None) -> LogInOutcome:
        # Django says nothing of a blocked account: whether the password was right is not known.
        if user is not None and not user.is_active:
            return LogInOutcome.BLOCKED
        is_known = self.user_cache is not None
        return LogInOutcome.NOT_STAFF if is_known else LogInOutcome.WRONG_PASSWORD

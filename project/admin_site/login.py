"""The log-in page of the admin: counted, slowed down and logged as the API's log-in."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from redis.exceptions import RedisError
from unfold.forms import AuthenticationForm

from people import login_queue, throttles
from project.common.errors import Throttled


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    def clean(self) -> Any:
        email = self.cleaned_data.get("username", "")
        try:
            with throttles.login_attempt(self.request, email=email), login_queue.turn():
                return super().clean()
        except Throttled as error:
            words = _("Too many attempts. Try again in %(seconds)d s.")
            raise ValidationError(
                words % {"seconds": error.retry_after}, code="throttled"
            ) from None
        except RedisError:
            raise ValidationError(
                _("Nobody can log in at the moment. Try again later."), code="unavailable"
            ) from None

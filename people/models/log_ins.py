"""Who logged in when, from where, and who was refused."""

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from people.models.users import User

# After this the record is deleted.
LOG_INS_KEPT_FOR = timedelta(days=90)
# Of one person: who guesses at a password without end fills no table.
LOG_INS_KEPT = 200
# Browsers describe themselves in some 150 characters.
DEVICE_LENGTH = 300


class Door(models.TextChoices):
    API = "api", _("API")
    ADMIN = "admin", _("admin")


class LogInOutcome(models.TextChoices):
    SUCCEEDED = "succeeded", _("logged in")
    CODE_ASKED = "code_asked", _("password accepted, code requested")
    WRONG_PASSWORD = "wrong_password", _("refused: wrong password")
    WRONG_CODE = "wrong_code", _("refused: wrong code")
    BLOCKED = "blocked", _("refused: blocked")
    NOT_STAFF = "not_staff", _("refused: not a member of staff")


class LogIn(models.Model):
    """An attempt to log in. What throttles refuse is in the log only: it reached no account."""

    # None: nobody has the e-mail. Written down all the same, or the time of the answer would tell.
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="log_ins"
    )
    at = models.DateTimeField(_("time"), db_index=True)
    door = models.CharField(_("where"), max_length=5, choices=Door)
    outcome = models.CharField(_("outcome"), max_length=14, choices=LogInOutcome)
    address = models.CharField(_("address"), max_length=45, blank=True)
    device = models.CharField(_("device"), max_length=DEVICE_LENGTH, blank=True)

    class Meta:
        verbose_name = _("log-in")
        verbose_name_plural = _("log-ins")
        default_permissions = ()
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"

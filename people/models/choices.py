"""What a person's language may be, how they hear of course updates, and why an account is blocked."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Language(models.TextChoices):
    ENGLISH = "en", _("English")
    RUSSIAN = "ru", _("Russian")

    @classmethod
    def of_code(cls, code: str | None) -> "Language":
        """The language of a code as Django writes it (`ru`, `en-gb`); English if we have none."""
        short = (code or "").partition("-")[0]
        return cls(short) if short in cls.values else cls.ENGLISH


def usual_language() -> Language:
    """Where nothing says what somebody reads."""
    return Language.of_code(settings.LANGUAGE_CODE)


class CourseMails(models.TextChoices):
    """How somebody hears of updates of courses that they follow."""

    AT_ONCE = "at_once", _("at once")
    DAILY = "daily", _("once a day")
    NEVER = "never", _("not at all")


class BlockReason(models.TextChoices):
    """Who took the access away: only a block by the sweep can be lifted by its owner by mail."""

    STAFF = "staff", _("blocked by staff")
    INACTIVITY = "inactivity", _("inactive for too long")
    ERASED = "erased", _("erased at the person's own request")

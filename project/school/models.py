"""What administrators say about the school. A field that is empty leaves what the settings say."""

import unicodedata
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from project.common.images import random_name
from project.common.texts import validate_one_line
from project.common.versions import version_of

COLOUR = r"^#[0-9a-fA-F]{6}$"
# Letters of Arabic and Persian are joined and parted by these; all others of their kind turn the
# direction of a text, or are not seen at all.
JOINERS = "\u200c\u200d"


def validate_header_words(value: str) -> None:
    """Refuse what has no place in a header of a mail: line breaks, and what is not seen."""
    validate_one_line(value)
    if any(unicodedata.category(one) == "Cf" and one not in JOINERS for one in value):
        raise ValidationError(
            _("This text contains characters that can't be displayed."), code="control_character"
        )


def validate_time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError(_("There is no such time zone."), code="unknown_time_zone")


class School(models.Model):
    """The only row; there is none until an administrator saves the settings. What it says together
    with the settings is read by `current_school` (project/school/current.py)."""

    name = models.CharField(
        _("school name"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        validators=[validate_header_words],
    )
    logo = models.ImageField(
        _("logo"), upload_to=random_name("logos"), blank=True, default="", db_default=""
    )
    colour = models.CharField(
        _("colour"),
        max_length=7,
        blank=True,
        default="",
        db_default="",
        validators=[
            RegexValidator(COLOUR, _("Enter a colour as # and six digits, such as #0f766e."))
        ],
    )
    email = models.EmailField(_("contact email"), blank=True, default="", db_default="")
    phone = models.CharField(
        _("contact phone"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
        validators=[
            RegexValidator(
                r"^[+(]?[0-9][0-9 ()./-]+\Z",
                _("Enter a phone number: digits, spaces, brackets and hyphens."),
            )
        ],
    )
    address = models.TextField(
        _("postal address"), max_length=500, blank=True, default="", db_default=""
    )
    tax_id = models.CharField(
        _("tax ID"),
        max_length=50,
        blank=True,
        default="",
        db_default="",
        validators=[validate_one_line],
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=50,
        blank=True,
        default="",
        db_default="",
        validators=[validate_time_zone],
    )
    daily_mail_hour = models.PositiveSmallIntegerField(
        _("hour of the daily email"), default=9, db_default=9, validators=[MaxValueValidator(23)]
    )
    sender_name = models.CharField(
        _("sender’s name"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        validators=[validate_header_words],
    )
    cash_instructions = models.TextField(
        _("how to pay in cash"), max_length=2000, blank=True, default="", db_default=""
    )
    transfer_instructions = models.TextField(
        _("how to pay by transfer"), max_length=2000, blank=True, default="", db_default=""
    )
    bank_details = models.TextField(
        _("bank details"), max_length=1000, blank=True, default="", db_default=""
    )
    shows_checklist = models.BooleanField(
        _("checklist of the first day"),
        default=True,
        db_default=True,
        help_text=_("Whether administrators see it on their dashboard."),
    )

    class Meta:
        verbose_name = _("school")
        verbose_name_plural = _("school")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="school_only_one"),
            models.CheckConstraint(
                condition=Q(daily_mail_hour__lte=23), name="school_daily_mail_hour_is_an_hour"
            ),
            models.CheckConstraint(
                condition=Q(colour="") | Q(colour__regex=COLOUR), name="school_colour_is_a_colour"
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(_("School"))

    @property
    def version(self) -> str:
        """See project/common/versions.py."""
        return version_of(getattr(self, field.attname) for field in self._meta.concrete_fields)

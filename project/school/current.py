"""The school as it is in effect: what administrators say, and for the rest what the settings say.

Each process keeps the row for KEPT_SECONDS, so that requests don't pay a query each. A process that
changes the row reads it again at once, all others when these seconds are over.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import get_timezone_location
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models.fields.files import FieldFile
from django.utils.translation import get_language, to_locale

from project.common.images import address_of
from project.school.models import School

KEPT_SECONDS = 5.0
# Teal, as the admin has it.
COLOUR = "#0f766e"


@dataclass(frozen=True)
class CurrentSchool:
    """Texts are as people typed them, of one line but for the address and what is about paying."""

    name: str
    # False if there is none.
    logo: FieldFile
    colour: str
    email: str
    phone: str
    address: str
    tax_id: str
    time_zone: str
    daily_mail_hour: int
    sender_name: str
    cash_instructions: str
    transfer_instructions: str
    bank_details: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def zone_name(self) -> str:
        """In the present language: `Moscow (UTC+3)`."""
        locale = to_locale(get_language() or "en")
        city: str = get_timezone_location(self.zone, locale=locale, return_city=True)
        ahead = datetime.now(self.zone).utcoffset() or timedelta()
        hours, minutes = divmod(abs(ahead) // timedelta(minutes=1), 60)
        sign = "\N{MINUS SIGN}" if ahead < timedelta() else "+"
        offset = f"{sign}{hours}" + (f":{minutes:02}" if minutes else "") if ahead else ""
        return city if city == "UTC" else f"{city} (UTC{offset})"

    @property
    def logo_url(self) -> str:
        """For mails; "" without a logo."""
        return address_of(str(self.logo)) if self.logo else ""

    @property
    def mail_link(self) -> str:
        """Where people can write to; "" without an address."""
        return f"mailto:{self.email}" if self.email else ""

    @property
    def text_colour(self) -> str:
        """White or black, whichever can be read on the school's colour: one of them always has a
        contrast of 4.5 (WCAG 2, 1.4.3)."""
        # The contrast with white is (1 + .05) / (luminance + .05).
        return "#ffffff" if 1.05 / (_luminance(self.colour) + 0.05) >= 4.5 else "#000000"

    @property
    def how_to_transfer(self) -> str:
        """What is said about a transfer, and where the money goes."""
        parts = (self.transfer_instructions.strip(), self.bank_details.strip())
        return "\n\n".join(part for part in parts if part)


def _luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Kept:
    """The school as this process has read it last."""

    school: CurrentSchool | None = None
    until = 0.0

    def keep(self, row: School, seconds: float) -> CurrentSchool:
        self.school, self.until = in_effect(row), time.monotonic() + seconds
        return self.school


kept = Kept()


def current_school() -> CurrentSchool:
    school = kept.school
    if school is None or time.monotonic() >= kept.until:
        school = kept.keep(School.objects.filter(pk=1).first() or School(), KEPT_SECONDS)
    return school


def last_known_school() -> CurrentSchool:
    """The same, for pages that are shown without the database, too: while it is away, as this process
    has read it last, or as the settings describe it."""
    try:
        return current_school()
    except (OperationalError, InterfaceError):
        return kept.school or in_effect(School())


def forget_school() -> None:
    """Have this process read the row anew."""
    kept.school = None


def in_effect(row: School) -> CurrentSchool:
    name = row.name or settings.SCHOOL_NAME
    return CurrentSchool(
        name=name,
        logo=row.logo,
        colour=row.colour or COLOUR,
        email=row.email or settings.SCHOOL_EMAIL,
        phone=row.phone,
        address=row.address or settings.SCHOOL_ADDRESS,
        tax_id=row.tax_id or settings.SCHOOL_TAX_ID,
        time_zone=row.time_zone if _is_known(row.time_zone) else settings.TIME_ZONE,
        daily_mail_hour=row.daily_mail_hour,
        sender_name=row.sender_name
        or row.name
        or parseaddr(settings.DEFAULT_FROM_EMAIL)[0]
        or name,
        cash_instructions=row.cash_instructions or settings.PAYMENT_INSTRUCTIONS_CASH,
        transfer_instructions=row.transfer_instructions or settings.PAYMENT_INSTRUCTIONS_TRANSFER,
        bank_details=row.bank_details,
    )


def _is_known(time_zone: str) -> bool:
    """Not all names are kept: the next release of the system may miss one."""
    try:
        return bool(time_zone and ZoneInfo(time_zone))
    except ZoneInfoNotFoundError:
        return False

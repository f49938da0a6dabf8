"""Rules for what people write about themselves."""

import re

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from project.common.mailboxes import is_possible

# Reserved (RFC 2606): no mail can reach it.
ERASED_DOMAIN = "erased.invalid"


def validate_phone(value: str) -> None:
    """Accept a phone number in E.164 as `+79161234567`, refuse any other spelling."""
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        number = None
    if (
        number is None
        or not phonenumbers.is_possible_number(number)
        or phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) != value
    ):
        raise ValidationError(
            _("Enter the phone number in international format, such as +79161234567."),
            code="invalid_phone",
        )


def validate_mailbox(value: str) -> None:
    """Refuse what the syntax of e-mail allows but no mailbox of a person has.

    That is quoted local parts (they may hold control characters), letters beyond ASCII before the
    `@` (some, as `ſ` and `K`, are equal to ASCII ones when case is ignored), domains that no server
    could know, and our own placeholder of erased accounts.
    """
    local, _separator, domain = value.rpartition("@")
    is_plain = re.fullmatch(r"[-!#$%&'*+/=?^_`{}|~.0-9A-Za-z]+", local)
    if not is_plain or domain == ERASED_DOMAIN or not is_possible(value):
        raise ValidationError(_("Enter a valid email address."), code="invalid")

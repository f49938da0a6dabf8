"""Rules for what people write about themselves."""

import re

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from phonenumbers import PhoneNumberFormat as PhoneForm

from project.common.links import any_link
from project.common.mailboxes import is_possible
from project.common.texts import validate_one_line

# Reserved (RFC 2606): no mail can reach it.
ERASED_DOMAIN = "erased.invalid"


# What stands before a name with a dot and, in haste, without a space; beside initials.
TITLES = frozenset({"Mr", "Mrs", "Ms", "Dr", "Prof", "г"})


def validate_name(value: str) -> None:
    """Refuse what nobody is called and no place: links, and more than one line. Names stand in mails
    to others."""
    validate_one_line(value)
    if link := any_link(" ".join(map(_spelled_out, value.split()))):
        raise ValidationError(
            _("Links aren't allowed here: “%(link)s”."), code="contains_link", params={"link": link}
        )


def _spelled_out(word: str) -> str:
    """`A.Ng` with the space that belongs there, which no program would take for an address."""
    *initials, name = word.rstrip(".,").split(".")
    are_initials = all((len(one) == 1 and one.isupper()) or one in TITLES for one in initials)
    return (
        word.replace(".", ". ") if are_initials and name.isalpha() and name[0].isupper() else word
    )


def read_phone(text: str) -> str | None:
    """Return a phone number in E.164, as `+79161234567`, however people of the school's country
    write it; None if nobody can have it.

    By the numbering plans, and not by the length alone: of the right length are also local numbers
    with the code of a country before them. An extension would be lost, and letters are words.
    """
    if any(character.isalpha() for character in text):
        return None
    try:
        number = phonenumbers.parse(" ".join(text.split()), settings.COUNTRY)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneForm.E164)


def validate_phone(value: str) -> None:
    """Accept a phone number in E.164 that somebody can have; say what would be understood."""
    if read_phone(value) == value:
        return
    mobile = phonenumbers.PhoneNumberType.MOBILE
    example = phonenumbers.example_number_for_type(settings.COUNTRY, mobile)
    assert example is not None  # noqa: S101 - project/checks.py
    forms = {"national": PhoneForm.NATIONAL, "international": PhoneForm.INTERNATIONAL}
    raise ValidationError(
        _("Enter the whole phone number, such as %(national)s or %(international)s."),
        code="invalid_phone",
        params={name: phonenumbers.format_number(example, form) for name, form in forms.items()},
    )


def validate_mailbox(value: str) -> None:
    """Refuse what the syntax of e-mail allows but no mailbox of a person has.

    That is quoted local parts (they may hold control characters), letters beyond ASCII before the
    `@` (some, as `ſ` and `K`, are equal to ASCII ones when case is ignored), domains that no server
    could know, hosts without one, as `localhost` and `[127.0.0.1]`, whose mail would go to whoever
    runs the mail server, and our own placeholder of erased accounts.
    """
    local, _separator, domain = value.rpartition("@")
    is_plain = re.fullmatch(r"[-!#$%&'*+/=?^_`{}|~.0-9A-Za-z]+", local)
    is_host = "." not in domain or domain.startswith("[")
    if not is_plain or is_host or domain == ERASED_DOMAIN or not is_possible(value):
        raise ValidationError(_("Enter a valid email address."), code="invalid")

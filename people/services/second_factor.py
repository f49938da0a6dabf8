"""The second step at the log-in of staff: codes by the clock, and recovery codes for a lost device.
The only module that knows django-otp.

A device keeps its own count of failures: after the n-th it takes no code for 2ⁿ⁻¹ seconds. Who can fail
there has the password; the owner comes in by a recovery code, which is counted by itself.
"""

import math
import re
import secrets
from base64 import b32encode
from binascii import unhexlify
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex

from people.errors import SecondFactorRequired, WrongCode
from people.models import User
from people.permissions import can_reset_second_factor
from people.services.locks import lock_active_account, lock_for_staff
from people.services.sessions import end_all_sessions
from project.common.errors import Throttled
from project.mail.services import send_to_one

KEY_BYTES = 20
RECOVERY_CODES = 10
# Letters and digits that nobody takes for each other; twelve of them are 59 bits.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
RECOVERY_CODE_LENGTH = 12
# Roles that are no groups.
STAFF, ADMINISTRATORS = "staff", "administrators"


def has_device(user: User) -> bool:
    return bool(_devices().filter(user=user).exists())


def device_of(user: str) -> Exists:
    """For an annotation: whether the person in this column has a device."""
    return Exists(_devices().filter(user=OuterRef(user)))


def is_required(user: User) -> bool:
    """Say whether a role of this person asks for a second step (SECOND_FACTOR_ROLES)."""
    roles = set(settings.SECOND_FACTOR_ROLES)
    if STAFF in roles or (user.is_superuser and ADMINISTRATORS in roles):
        return True
    return bool(roles) and user.groups.filter(name__in=roles).exists()


def set_up_at(user: User) -> datetime | None:
    """Since when the person has a device; None: they have none."""
    device = _devices().filter(user=user).first()
    return device and (device.created_at or timezone.now())


def recovery_codes_left(user: User) -> int:
    return int(StaticToken.objects.filter(device__user=user).count())


def new_key() -> str:
    return str(random_hex(KEY_BYTES))


def key_in_words(key: str) -> str:
    """As people type it into an app: in groups of four."""
    text = b32encode(unhexlify(key)).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def address_of_key(user: User, key: str) -> str:
    """What the QR code says."""
    return str(TOTPDevice(user=user, key=key).config_url)


@transaction.atomic
def set_up(*, user: User, key: str, code: str) -> list[str]:
    """Give the person the device that has this key and shows this code, in the place of the one
    before; return new recovery codes. Raises WrongCode."""
    user = lock_active_account(user)
    TOTPDevice.objects.filter(user=user).delete()
    device = TOTPDevice.objects.create(user=user, name="app", key=key)
    if not device.verify_token(_digits(code)):
        raise WrongCode
    return _write_recovery_codes(user)


@transaction.atomic
def renew_recovery_codes(*, user: User) -> list[str]:
    """Return ten new ones; those before are void."""
    return _write_recovery_codes(lock_active_account(user))


def check_code(*, user: User, code: str) -> None:
    """Use up a code of the person's device, or one of their recovery codes. Raises WrongCode;
    Throttled after failures."""
    text = re.sub(r"[\s-]", "", code).lower()
    is_recovery = len(text) == RECOVERY_CODE_LENGTH
    kind: type[Device] = StaticDevice if is_recovery else TOTPDevice
    with transaction.atomic():
        device = kind.objects.select_for_update().filter(user=user, confirmed=True).first()
        if device is None:
            raise WrongCode
        is_allowed, reason = device.verify_is_allowed()
        if not is_allowed:
            wait = (reason["locked_until"] - timezone.now()).total_seconds()
            raise Throttled(max(1, math.ceil(wait)))
        is_right = device.verify_token(_kept(user, text) if is_recovery else _digits(text))
    if not is_right:
        raise WrongCode


@transaction.atomic
def remove(*, user: User) -> None:
    """Take the person's own device away. Raises SecondFactorRequired if their role asks for one."""
    user = lock_active_account(user)
    if is_required(user):
        raise SecondFactorRequired
    forget(user)


@transaction.atomic
def reset(*, user: User, by: User | None) -> None:
    """Take away the device that a person has lost, end all their sessions, and tell them by mail.
    `by` None is an operator. Raises PermissionDenied, AccountErased."""
    user = lock_for_staff(user, by=by, to=can_reset_second_factor)
    forget(user)
    end_all_sessions(user)
    send_to_one("second_factor_reset", user)


def forget(user: User) -> None:
    """Delete what belongs to the second step of a locked account."""
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()


def _devices() -> Any:
    return TOTPDevice.objects.filter(confirmed=True)


def _write_recovery_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery")
    codes = [
        "".join(secrets.choice(ALPHABET) for _each in range(RECOVERY_CODE_LENGTH))
        for _one in range(RECOVERY_CODES)
    ]
    StaticToken.objects.bulk_create(
        StaticToken(device=device, token=_kept(user, code)) for code in codes
    )
    return ["-".join((code[:4], code[4:8], code[8:])) for code in codes]


def _kept(user: User, code: str) -> str:
    """What is kept of a recovery code: the library compares texts of 16 characters, and needs not know
    that they are a hash. The codes are too long to be guessed from it."""
    digest = sha256(f"{user.identity.hex}:{code}".encode()).digest()
    return b32encode(digest).decode()[:16]


def _digits(code: str) -> str:
    """The library would read more than digits as a number: 1_23456, for one."""
    text = re.sub(r"\s", "", code)
    return text if re.fullmatch(r"[0-9]{6}", text) else ""

"""How passwords are kept."""

import unicodedata

from django.contrib.auth.hashers import Argon2PasswordHasher, make_password

# Putting a thousand marks in order takes a millisecond, a million of them a quarter of an hour.
LONGEST_COMPOSED = 1024


class Argon2idPasswordHasher(Argon2PasswordHasher):
    """Argon2id as OWASP's Password Storage Cheat Sheet asks for at least: 19 MiB, two passes, one
    lane.

    What makes guessing dear is the memory, so that a check takes us 20 to 30 ms of computing where
    Django's default, PBKDF2, takes 340: a class that logs in at once is let in at once.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1


def composed(password: str) -> str:
    """Return the password with its letters composed (NFC): keyboards write `é` as one character or
    as two."""
    is_short = len(password) <= LONGEST_COMPOSED
    return unicodedata.normalize("NFC", password) if is_short else password


def hash_of(password: str | None) -> str:
    """Return the hash of a new password. Takes as long as a check of it, because where there is no
    account a password is hashed in the place of a check."""
    if password is not None and (typed := password) != (password := composed(password)):
        make_password(typed)
    return make_password(password)

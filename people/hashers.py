"""How passwords are kept."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idPasswordHasher(Argon2PasswordHasher):
    """Argon2id as OWASP's Password Storage Cheat Sheet asks for at least: 19 MiB, two passes, one
    lane.

    What makes guessing dear is the memory, so that a check takes us 20 to 30 ms of computing where
    Django's default, PBKDF2, takes 340: a class that logs in at once is let in at once.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1

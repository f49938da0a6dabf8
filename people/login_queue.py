"""Log-ins in turn: a crowd at the door leaves the API to those who are in.

A password check is 30 ms of computing and 19 MiB of memory (people/hashers.py). Many at once would
take every thread of a process; so it checks one password at a time, all its threads but one may wait
for that, and who comes then is told to come back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.conf import settings
from ninja.errors import Throttled

# Seconds after which it is worth to try again.
COME_BACK = 1

_counting = Lock()
_checking = Lock()
_present = 0


@contextmanager
def place_in_queue() -> Iterator[Lock]:
    """Take one of the places for log-ins; what is yielded is held while the password is checked.
    Raises Throttled at once if all places are taken."""
    global _present
    with _counting:
        if _present >= max(1, settings.WEB_THREADS - 1):
            raise Throttled(wait=COME_BACK)
        _present += 1
    try:
        yield _checking
    finally:
        with _counting:
            _present -= 1

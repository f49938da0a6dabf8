"""Log-ins in turn, so that many at once leave the API to those who are in.

A password check is 30 ms of computing and 19 MiB of memory (people/hashers.py). Many at once would
take every thread of a process; so it checks one password at a time, and three quarters of its threads
have a place to wait for that. Who finds none waits for one on another thread, for a moment: so a class
is let in. If that moment is not enough, there are more than can be served, and for a second whoever
finds no place is told at once to come back, which leaves the other threads to all others.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

from django.conf import settings

from project.common.errors import Throttled

# Seconds to wait for a place; more than a check takes.
PATIENCE = 0.3
# Seconds after which it is worth to try again.
COME_BACK = 1

_places = Condition()
_checking = Lock()
_present = 0
_crowded_until = 0.0


@contextmanager
def turn() -> Iterator[None]:
    """Wait for one's turn, and hold it while the password is checked. Raises Throttled."""
    global _present
    _take_place()
    try:
        with _checking:
            yield
    finally:
        with _places:
            _present -= 1
            _places.notify()


def _take_place() -> None:
    global _present, _crowded_until
    places = max(1, settings.WEB_THREADS * 3 // 4)
    with _places:
        patience = PATIENCE if time.monotonic() >= _crowded_until else 0
        if not _places.wait_for(lambda: _present < places, timeout=patience):
            _crowded_until = time.monotonic() + COME_BACK
            raise Throttled(COME_BACK)
        _present += 1

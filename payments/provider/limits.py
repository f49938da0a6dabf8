"""How many calls to a provider a process makes at once, and whether it makes any at present.

A provider that is silent holds each caller for as long as we wait. So a process has few places for
calls, and after a few calls that were not answered it makes none for a while; then a single one tries
whether the provider is back. Libraries for this hold a lock while they call, or let all callers try.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from payments.provider.types import ProviderBusy

# So many calls in a row without an answer end calling for a while.
SILENT_AT_MOST = 3
PAUSE_SECONDS = 15.0
# One caller more may wait for a place, but not long: each waits with a thread of the server.
WAIT_SECONDS = 1.0


class CallLimit:
    """The places of this process, and what it knows of the provider."""

    def __init__(self, places: int) -> None:
        self._places = BoundedSemaphore(places)
        self._waiting = BoundedSemaphore(1)
        self._lock = Lock()
        self._silences = 0
        self._closed_until = 0.0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for one call. Raises ProviderBusy if there is none, or if none is made now."""
        self._refuse_if_silent()
        if not self._take_place():
            raise ProviderBusy(WAIT_SECONDS)
        try:
            yield
        finally:
            self._places.release()

    def note_answer(self) -> None:
        """The provider answered, whatever it said."""
        with self._lock:
            self._silences, self._closed_until = 0, 0.0

    def note_silence(self) -> None:
        """It did not answer in time, or could not be reached."""
        with self._lock:
            self._silences += 1
            if self._silences >= SILENT_AT_MOST:
                self._closed_until = time.monotonic() + PAUSE_SECONDS

    def _refuse_if_silent(self) -> None:
        with self._lock:
            if self._silences < SILENT_AT_MOST:
                return
            now = time.monotonic()
            if now < self._closed_until:
                raise ProviderBusy(self._closed_until - now)
            # This caller tries; until it knows, nobody else does.
            self._closed_until = now + PAUSE_SECONDS

    def _take_place(self) -> bool:
        if self._places.acquire(blocking=False):
            return True
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._places.acquire(timeout=WAIT_SECONDS)
        finally:
            self._waiting.release()

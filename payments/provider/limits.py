"""How many calls to a provider a process makes at once, and whether it makes any at present.

A provider that is silent holds each caller for as long as we wait. So a process has few places for
calls, and after a few calls that were not answered it makes none for a while; then a single one tries
whether the provider is back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from payments.provider.types import ProviderBusy
from project.common.breaker import CircuitBreaker

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
        self.breaker = CircuitBreaker(silences=SILENT_AT_MOST, pause=PAUSE_SECONDS)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for one call. Raises ProviderBusy if there is none, or if none is made now."""
        if wait := self.breaker.wait():
            raise ProviderBusy(wait)
        if not self._take_place():
            raise ProviderBusy(WAIT_SECONDS)
        try:
            yield
        finally:
            self._places.release()

    def _take_place(self) -> bool:
        if self._places.acquire(blocking=False):
            return True
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._places.acquire(timeout=WAIT_SECONDS)
        finally:
            self._waiting.release()

"""A circuit breaker: whether a service that answered nobody lately is asked at present.

Libraries for this hold a lock while they call, or let all callers try again at once.
"""

import time
from threading import Lock


class CircuitBreaker:
    """After so many silences in a row nobody asks for so many seconds; then a single caller tries
    whether the service is back."""

    def __init__(self, *, silences: int, pause: float) -> None:
        self._most, self._pause = silences, pause
        self._lock = Lock()
        self._silences = 0
        self._closed_until = 0.0

    def wait(self) -> float:
        """Return 0 for who may ask now, or after how many seconds one may."""
        with self._lock:
            if self._silences < self._most:
                return 0
            now = time.monotonic()
            if now < self._closed_until:
                return self._closed_until - now
            # This caller tries; until it knows, nobody else does.
            self._closed_until = now + self._pause
            return 0

    def note_answer(self) -> None:
        """The service answered, whatever it said."""
        with self._lock:
            self._silences, self._closed_until = 0, 0.0

    def note_silence(self) -> None:
        """It did not answer in time, or could not be reached."""
        with self._lock:
            self._silences += 1
            if self._silences >= self._most:
                self._closed_until = time.monotonic() + self._pause

"""Connections to Redis, of which none is made for a while after several found it silent."""

from functools import cache
from typing import Any, override

from redis import ConnectionPool
from redis.connection import Connection
from redis.exceptions import ConnectionError, TimeoutError

from project.common.breaker import CircuitBreaker


@cache
def breaker_of(address: tuple[object, ...]) -> CircuitBreaker:
    """One for all threads: Django gives each of them a pool of its own."""
    return CircuitBreaker(silences=3, pause=2.0)


class RedisPool(ConnectionPool):
    @override
    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Connection:
        """Raises ConnectionError at once while nobody asks. A connection that is open and whose
        server falls silent is closed by the library, so that the next one is made here."""
        address = ("host", "port", "path")
        breaker = breaker_of(tuple(self.connection_kwargs.get(name) for name in address))
        if breaker.wait():
            raise ConnectionError("Redis did not answer lately")
        try:
            connection = super().get_connection()
        except (ConnectionError, TimeoutError):
            breaker.note_silence()
            raise
        breaker.note_answer()
        return connection

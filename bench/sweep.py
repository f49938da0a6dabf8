"""Measures the inactivity sweep of many accounts, beside a bare UPDATE of the same rows.

`uv run python -m bench.sweep --accounts 1000000`, on SQLite or (DATABASE_URL) PostgreSQL; both in
alternating rounds of one run, each on the same table put back to the same state.
"""

import argparse
import json
import statistics
import sys
import time
from datetime import timedelta
from typing import Any

from bench.database import own_database

BARE = """UPDATE people_user SET is_active = FALSE, blocked_at = %s, blocked_reason = 'inactivity',
token_version = token_version + 1
WHERE is_active AND NOT is_superuser AND COALESCE(last_login, date_joined) < %s"""


def fill(accounts: int) -> None:
    """Every twentieth account is inactive."""
    from django.utils import timezone  # noqa: PLC0415 - Django is set up by now

    from people.models import User  # noqa: PLC0415

    now = timezone.now()
    for start in range(0, accounts, 10_000):
        User.objects.bulk_create(
            User(
                email=f"person{number}@school.example",
                password="!",  # noqa: S106 - no password at all
                last_login=now - timedelta(days=60 if number % 20 == 0 else number % 20),
            )
            for number in range(start, min(start + 10_000, accounts))
        )


def put_back() -> None:
    from django.db import connection  # noqa: PLC0415

    from people.models import User  # noqa: PLC0415

    User.objects.filter(is_active=False).update(
        is_active=True, blocked_at=None, blocked_reason="", token_version=0
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE people_user")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def bare() -> int:
    from django.conf import settings  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    now = timezone.now()
    moments = [
        connection.ops.adapt_datetimefield_value(moment)
        for moment in (now, now - settings.INACTIVITY_PERIOD)
    ]
    with connection.cursor() as cursor:
        cursor.execute(BARE, moments)
        return int(cursor.rowcount)


def ours() -> int:
    from people.services.inactivity import sweep  # noqa: PLC0415

    return sweep().blocked


def measure(accounts: int = 1_000_000, rounds: int = 3) -> dict[str, Any]:
    """Seconds of both, and how many times the bare statement's the sweep takes."""
    fill(accounts)
    seconds: dict[str, list[float]] = {"bare": [], "ours": []}
    rows = set()
    for _round in range(rounds):
        for name, work in (("bare", bare), ("ours", ours)):
            put_back()
            started = time.perf_counter()
            rows.add(work())
            seconds[name].append(time.perf_counter() - started)
            sys.stderr.write(f"{name} {seconds[name][-1]:6.2f} s\n")
    ratios = [mine / least for mine, least in zip(seconds["ours"], seconds["bare"], strict=True)]
    return {
        "accounts": accounts,
        "rows": sorted(rows),
        "bare s": seconds["bare"],
        "ours s": seconds["ours"],
        "ratio": statistics.median(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with own_database():
        found = measure(options.accounts, options.rounds)
    sys.stdout.write(f"{json.dumps(found, indent=2)}\n")


if __name__ == "__main__":
    main()

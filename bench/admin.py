"""Measures the lists of the admin, their searches and filters, and the dashboard, with many rows
and with few.

`uv run --group bench python -m bench.admin` asks each page as an administrator, first with 1,000
rows in each table, then with 100,000 courses, 1,000,000 people and 1,000,000 payments (and what
hangs on them), and prints the medians, their ratio and the number of queries; the measure
of a search or filter that found little is the full page of its list. PostgreSQL is taken
from DATABASE_URL, or on this machine. The exit code is 1 if a page takes more than LIMIT times as
long and is no longer than FAST_MS, or asks more queries.
"""

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.admin_rows import Size, fill
from bench.database import own_database

if TYPE_CHECKING:
    from django.test import Client

POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"
SMALL = Size(courses=1_000, people=1_000, payments=1_000)
LARGE = Size(courses=100_000, people=1_000_000, payments=1_000_000)
LIMIT = 3.0
# What takes no longer than this is quick, whatever it is compared with.
FAST_MS = 30.0
DAYS = "2026-10-01", "2026-10-07"

COURSE, LESSON, ACCESS = "lms/course/", "lms/lesson/", "lms/access/"
PEOPLE, BOOK = "people/user/", "payments/payment/"
EVENT = "payments/stripeevent/"
MAILING, DELIVERY = "mail/mailing/", "mail/delivery/"
QUEUE = tuple(f"django_q/{name}/" for name in ("ormq", "success", "failure", "schedule"))
PAGES = (
    "",
    *(COURSE + query for query in ("", "?q=sourdough", "?q=bread+77", "?q=nothing+of+this+name")),
    *(COURSE + f"?is_published__exact={value}" for value in (0, 1)),
    COURSE + "?owner__id__exact=7",
    COURSE + "?price_from=100&price_to=200",
    COURSE + f"?updated_at_from={DAYS[0]}&updated_at_to={DAYS[1]}",
    *(COURSE + query for query in ("?o=2", "?o=-5", "?p=15", "?is_published__exact=1&q=bread")),
    *(LESSON + query for query in ("", "?q=flour", "?q=lesson+77", "?q=nothing+of+this+name")),
    *(LESSON + f"?is_preview__exact={value}" for value in (0, 1)),
    LESSON + "?course__id__exact=7",
    LESSON + "?price_from=100&price_to=200",
    LESSON + f"?updated_at_from={DAYS[0]}&updated_at_to={DAYS[1]}",
    *(ACCESS + query for query in ("", "?q=person77", "?q=nobody", "?q=school.example")),
    *(ACCESS + f"?state={value}" for value in ("active", "revoked")),
    *(ACCESS + f"?source__exact={value}" for value in ("payment", "grant")),
    *(ACCESS + query for query in ("?course__id__exact=7", "?user__id__exact=77")),
    ACCESS + f"?created_at_from={DAYS[0]}&created_at_to={DAYS[1]}",
    *(PEOPLE + query for query in ("", "?q=person77", "?q=ivanova", "?q=tallinn", "?q=nobody")),
    *(PEOPLE + f"?state={value}" for value in ("active", "blocked", "staff", "inactivity")),
    *(PEOPLE + query for query in ("?soon_blocked=1", "?is_staff__exact=0", "?is_staff__exact=1")),
    PEOPLE + f"?last_login_from={DAYS[0]}&last_login_to={DAYS[1]}",
    PEOPLE + f"?date_joined_from={DAYS[0]}&date_joined_to={DAYS[1]}",
    *(PEOPLE + query for query in ("?o=1", "?o=-5", "?o=6", "?p=15", "?state=active&q=ivanova")),
    *(BOOK + query for query in ("", "?q=sourdough", "?q=person77%40", "?q=B-77", "?q=nobody")),
    *(BOOK + f"?attention={value}" for value in ("confirm", "stuck")),
    *(BOOK + f"?status__exact={value}" for value in ("paid", "pending", "failed", "refunded")),
    *(BOOK + f"?method__exact={value}" for value in ("cash", "stripe")),
    *(BOOK + query for query in ("?course__id__exact=7", "?payer__id__exact=77", "?p=15")),
    BOOK + f"?created_at_from={DAYS[0]}&created_at_to={DAYS[1]}",
    BOOK + f"?paid_at_from={DAYS[0]}&paid_at_to={DAYS[1]}",
    BOOK + "?status__exact=paid&method__exact=cash&q=bread",
    *(
        EVENT + query
        for query in ("", "?q=evt_77", "?type=charge.refunded", "?type=account.updated")
    ),
    EVENT + f"?received_at_from={DAYS[0]}&received_at_to={DAYS[1]}",
    *(MAILING + query for query in ("", "?q=sourdough", "?q=nothing+of+this+name", "?q=bread+77")),
    *(MAILING + query for query in ("?kind=course_update", "?attention=troubled")),
    MAILING + f"?created_at_from={DAYS[0]}&created_at_to={DAYS[1]}",
    *(DELIVERY + query for query in ("", "?q=person77", "?q=nobody", "?q=school.example")),
    *(DELIVERY + f"?outcome={value}" for value in ("sent", "failed", "failed_lately", "waiting")),
    *(DELIVERY + query for query in ("?outcome=postponed", "?mailing=7")),
    *QUEUE,
    "auth/group/",
    *("search/" + query for query in ("", "?s=sourdough", "?s=person77", "?s=nothing+of+this")),
    *(f"{ACCESS}people/{query}" for query in ("", "?term=person77")),
    *(f"{ACCESS}lessons/{query}" for query in ("", "?term=lesson+77")),
    "autocomplete/?app_label=lms&model_name=course&field_name=owner&term=person77",
    *(f"{COURSE}authors/{query}" for query in ("", "?term=ivan")),
    *(f"{BOOK}payers/{query}" for query in ("", "?term=person77", "?term=ivan")),
    *(f"{BOOK}courses/{query}" for query in ("", "?term=bread")),
)


@dataclass(frozen=True)
class Measured:
    milliseconds: float
    queries: int


def measure(client: "Client", address: str, rounds: int) -> Measured:
    """The median of some requests after a first one, which counts the figures of the dashboard, as
    otherwise the worker does."""
    from django.core.cache import cache  # noqa: PLC0415 - Django is set up by now
    from django.db import connection, reset_queries  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    times = []
    queries = 0
    for number in range(rounds + 1):
        cache.clear()
        reset_queries()  # the log has an end
        with CaptureQueriesContext(connection) as captured:
            began = time.perf_counter()
            response = client.get(f"/admin/{address}")
            took = time.perf_counter() - began
        if response.status_code != 200:
            msg = f"/admin/{address} answered {response.status_code}"
            raise RuntimeError(msg)
        if number:
            times.append(took)
            queries = len(captured)
    return Measured(statistics.median(times) * 1000, queries)


def measure_all(only: str, rounds: int) -> dict[str, Measured]:
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client, override_settings  # noqa: PLC0415

    from people.models import User  # noqa: PLC0415

    client = Client()
    client.force_login(User.objects.get(is_superuser=True))
    chosen = [address for address in PAGES if only in address]
    lists = {address.partition("?")[0] for address in chosen} & {*PAGES}
    pages = sorted({*chosen, *lists}, key=PAGES.index)
    # Nobody collected static files; their names cost the same either way.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES=settings.STORAGES | {"staticfiles": plain}):
        return {address: measure(client, address, rounds) for address in pages}


def report(small: dict[str, Measured], large: dict[str, Measured]) -> int:
    """Print a line for each page; return how many are too slow."""
    line = "{:<58} {:>9} {:>9} {:>7} {:>8}  {}\n"
    sys.stdout.write(line.format("page", "few, ms", "many, ms", "ratio", "queries", ""))
    missed = 0
    for address, of_few in small.items():
        many = large[address]
        # Whoever finds fifty rows where there was one has more to show: a full page is the measure.
        whole = small.get(address.partition("?")[0], of_few)
        few = max(of_few, whole, key=lambda page: page.milliseconds)
        ratio = many.milliseconds / few.milliseconds
        is_slow = ratio > LIMIT and many.milliseconds > FAST_MS
        grows = many.queries > of_few.queries
        word = "too slow" if is_slow else "more queries" if grows else ""
        missed += bool(word)
        figures = (f"{few.milliseconds:.1f}", f"{many.milliseconds:.1f}", f"{ratio:.2f}")
        queries = f"{of_few.queries}→{many.queries}" if grows else str(many.queries)
        sys.stdout.write(line.format(f"/admin/{address}", *figures, queries, word))
    sys.stdout.write(f"{len(small)} pages, {missed} of them missed\n")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", help="measure addresses with this in them")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.setdefault("DATABASE_URL", POSTGRESQL)
    # The test client speaks plain HTTP, to this host.
    with own_database(ALLOWED_HOSTS="testserver", HTTPS="off", CACHE_URL="locmemcache://"):
        fill(SMALL)
        small = measure_all(options.only, options.rounds)
        fill(LARGE, after=SMALL)
        large = measure_all(options.only, options.rounds)
        return int(report(small, large) > 0)


if __name__ == "__main__":
    raise SystemExit(main())

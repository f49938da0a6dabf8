"""Measures lists, searches and filters of the API and the admin over many rows, and over few.

`uv run python -m bench.large` asks each page over 1,000 rows of each kind, and over 100,000 courses,
1,000,000 people and 1,000,000 payments (and what hangs on them), in alternating rounds on two
databases of PostgreSQL: that of DATABASE_URL, or this machine's. It prints the medians, their ratio
and the number of queries. A search or filter that meets little among few is compared with the
list itself. The exit code is 1 if a page of the API takes more than 1.5 times as long, a page of
the admin more than 3 times and more than 30 ms, or a page asks more queries.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections, reset_queries
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from bench.database import copied, own_database, server_url

FEW = {"courses": 1_000, "people": 1_000, "payments": 1_000}
MANY = {"courses": 100_000, "people": 1_000_000, "payments": 1_000_000}
# What takes no longer than this in the admin is quick, whatever it is compared with.
FAST_MS = 30.0
# Lists of the admin, each with what else it is asked for; a name alone is a week of this date.
ADMIN = {
    "": "",
    "lms/course/": "q=sourdough q=bread+77 q=nothing+of+this+name is_published__exact=0 "
    "is_published__exact=1 owner__id__exact=7 price_from=100&price_to=200 updated_at o=2 o=-5 p=15 "
    "is_published__exact=1&q=bread",
    "lms/lesson/": "q=flour q=lesson+77 q=nothing+of+this+name is_preview__exact=0 is_published__exact=0 "
    "is_preview__exact=1 course__id__exact=7 price_from=100&price_to=200 updated_at",
    "lms/access/": "q=person77 q=nobody q=school.example state=active state=revoked "
    "source__exact=payment source__exact=grant course__id__exact=7 user__id__exact=14 created_at",
    "people/user/": "q=person77 q=ivanova q=tallinn q=nobody state=active state=blocked state=staff "
    "state=inactivity soon_blocked=1 is_staff__exact=0 is_staff__exact=1 last_login date_joined "
    "o=1 o=-5 o=6 p=15 state=active&q=ivanova",
    "payments/payment/": "q=sourdough q=person77%40 q=B-77 q=nobody attention=confirm "
    "attention=stuck status__exact=paid status__exact=pending status__exact=failed "
    "status__exact=refunded method__exact=cash method__exact=stripe course__id__exact=7 "
    "payer__id__exact=14 p=15 created_at paid_at status__exact=paid&method__exact=cash&q=bread "
    "q=1490,00 q=%E2%84%96777 o=2 o=-2 o=4 o=-4 o=7 o=8 o=-8 o=2&p=15 o=-8&p=15 "
    "o=2&status__exact=pending o=4&q=bread o=2&paid_at_from=2026-10-01&paid_at_to=2026-10-31",
    "payments/payment/sums/": "q=bread q=person77 q=1490,00 status__exact=paid method__exact=cash "
    "attention=confirm created_at paid_at status__exact=paid&method__exact=cash&q=bread",
    "payments/closedmonth/": "year=2025",
    "payments/closedmonth/2026-03/": "",
    "payments/closedmonth/2026-10/": "",
    "payments/ledgerentry/": "q=person77%40 q=sourdough q=nobody month=2026-03 month=2026-10 "
    "kind__exact=refund method__exact=cash p=15 day month=2026-10&kind__exact=refund&method__exact=cash",
    "payments/ledgerentry/sums/": "month=2026-03 month=2026-10 kind__exact=refund day",
    "payments/stripeevent/": "q=evt_77 type=charge.refunded type=account.updated received_at",
    "mail/mailing/": "q=sourdough q=nothing+of+this+name q=bread+77 kind=course_update "
    "attention=troubled created_at",
    "mail/delivery/": "q=person77 q=nobody q=school.example outcome=sent outcome=failed "
    "outcome=failed_lately outcome=waiting outcome=postponed mailing=7",
    **{f"django_q/{name}/": "" for name in ("ormq", "success", "failure", "schedule")},
    "people/role/": "",
    "search/": "s=sourdough s=person77 s=nothing+of+this",
    "autocomplete/?app_label=lms&model_name=course&field_name=owner&term=person77": "",
    "lms/access/people/": "term=person77",
    "lms/access/lessons/": "term=lesson+77",
    "lms/course/authors/": "term=ivan",
    "payments/payment/payers/": "term=person77 term=ivan",
    "payments/payment/courses/": "term=bread",
}
WEEK = "{0}_from=2026-10-01&{0}_to=2026-10-07"
# By the arithmetic of rows.sql.
ADMINISTRATOR, AUTHOR, PAYER = 1, 2, 14
API = {
    ADMINISTRATOR: "courses courses?ordering=title courses?page=50 courses?search=bread+77 "
    "courses?search=bread lessons payments payments?method=transfer&status=paid&ordering=-amount "
    "users users?search=ivan77",
    AUTHOR: "courses?page=1",
    PAYER: "catalog/courses catalog/courses?ordering=price catalog/courses?search=bread+77 "
    "catalog/courses?search=bread catalog/courses?mine=true payments?status=paid subscriptions "
    "learning/courses",
}


def pages() -> dict[str, int]:
    """The addresses, each with the person who asks for it."""
    found = {}
    for name, queries in ADMIN.items():
        found[f"/admin/{name}"] = ADMINISTRATOR
        for query in queries.split():
            found[f"/admin/{name}?{query if '=' in query else WEEK.format(query)}"] = ADMINISTRATOR
    for person, paths in API.items():
        found |= {f"/api/v1/{path}": person for path in paths.split()}
    return found


@dataclass(frozen=True)
class Measured:
    milliseconds: float
    queries: int


def fill(size: dict[str, int], after: dict[str, int] | None = None) -> None:
    """Make the rows of a school of this size that are not there `after` an earlier call."""
    first = {f"{name}_from": (after or {}).get(name, 0) + 1 for name in size}
    statements = Path(__file__).with_name("rows.sql").read_text()
    with connection.cursor() as cursor:
        cursor.execute(statements.format_map(size | first))


def clients() -> dict[int, Client]:
    """The people who ask, in the admin and in the API."""
    from people.models import User  # noqa: PLC0415 - Django is set up by now
    from people.tokens import AccessToken, issue_pair  # noqa: PLC0415

    found = {}
    for user in User.objects.filter(pk__in=API):
        token = AccessToken(issue_pair(user).access)
        token.set_exp(lifetime=timedelta(days=1))
        found[user.pk] = Client(headers={"Authorization": f"Bearer {token}"})
        found[user.pk].force_login(user)
    return found


def measure_once(client: Client, address: str) -> Measured:
    """The second of two requests: the first connects, and has the statements planned."""
    for _time in range(2):
        reset_queries()  # the log has an end
        cache.clear()
        with CaptureQueriesContext(connection) as captured:
            began = time.perf_counter()
            response = client.get(address)
            took = time.perf_counter() - began
        if response.status_code != 200:
            message = f"{address} answered {response.status_code}"
            raise RuntimeError(message)
    return Measured(took * 1000, len(captured))


def measure(
    asked: dict[str, int], people: dict[int, Client], databases: list[str], rounds: int
) -> dict[str, list[Measured]]:
    """For each page the medians on each of the databases."""
    found = {}
    # Nobody collected static files; their names cost the same either way.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES=settings.STORAGES | {"staticfiles": plain}):
        for address, person in asked.items():
            seen: dict[str, list[Measured]] = {database: [] for database in databases}
            for database in databases * rounds:
                connections.close_all()
                connection.settings_dict["NAME"] = database
                seen[database].append(measure_once(people[person], address))
            found[address] = [
                Measured(median(one.milliseconds for one in several), several[0].queries)
                for several in seen.values()
            ]
            sys.stderr.write(".")
            sys.stderr.flush()
    return found


def report(found: dict[str, list[Measured]]) -> int:
    """Print a line for each page; return how many are missed."""
    line = "{:<70} {:>9} {:>9} {:>7} {:>8}  {}\n"
    sys.stdout.write(line.format("page", "few, ms", "many, ms", "ratio", "queries", ""))
    missed = 0
    for address, (few, many) in found.items():
        # Whoever finds fifty rows where there was one has more to show: a full page is the measure, also
        # of the sums beside it.
        whole = found.get(address.partition("?")[0].removesuffix("sums/"), [few])[0]
        ratio = many.milliseconds / max(few.milliseconds, whole.milliseconds)
        if address.startswith("/api"):
            is_slow = ratio > 1.5
        else:
            is_slow = ratio > 3 and many.milliseconds > FAST_MS
        grows = many.queries > few.queries
        word = "too slow" if is_slow else "more queries" if grows else ""
        missed += bool(word)
        times = (f"{few.milliseconds:.1f}", f"{many.milliseconds:.1f}", f"{ratio:.2f}")
        queries = f"{few.queries}→{many.queries}" if grows else str(many.queries)
        sys.stdout.write(line.format(address, *times, queries, word))
    sys.stdout.write(f"{len(found)} pages, {missed} of them missed\n")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", help="measure addresses with this in them")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ["DATABASE_URL"] = server_url()
    # The test client speaks plain HTTP, to this host, and has no second step.
    plain = {"ALLOWED_HOSTS": "testserver", "HTTPS": "off", "SECOND_FACTOR_ROLES": ","}
    with own_database(**plain, CACHE_URL="locmemcache://"):
        fill(FEW)
        people, many = clients(), connection.settings_dict["NAME"]
        asked = pages()
        asked = {
            address: person
            for address, person in asked.items()
            if any(options.only in other and other.startswith(address) for other in asked)
        }
        with copied(many) as few:
            fill(MANY, after=FEW)
            return int(report(measure(asked, people, [few, many], options.rounds)) > 0)


if __name__ == "__main__":
    sys.exit(main())

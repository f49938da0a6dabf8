"""`load_payments` of many rows, beside `loaddata` of the same file and the bare copying of the rows
that it wrote. Each is a process of its own, as on a server.

`loaddata` would take most of an hour: it is given the first rows only, on an empty table, which is
where it is fastest, and what a row more took it is multiplied. It writes payments alone;
`load_payments` writes their history and the access they give, too.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.data import METHODS, START, STATUSES, email
from bench.serving import ROOT

ROWS = int(os.environ.get("BENCH_IMPORT_ROWS", "1000000"))
FIRST_ROWS = min(100_000, ROWS)
LOADDATA_ROWS = min(20_000, ROWS)
VERY_FEW = 500
PEOPLE, COURSES = 1_000, 1_000
TABLES = ["payments_payment", "payments_paymentmove", "lms_access"]


@dataclass(frozen=True)
class Run:
    """What a command took; the processor's seconds are its own, without the database's."""

    seconds: float
    cpu: float
    peak: float


def measure() -> dict[str, Any]:
    from django.db import connections  # noqa: PLC0415 - Django is set up by now

    from bench.copying import copy_again  # noqa: PLC0415

    make_surroundings()
    with tempfile.TemporaryDirectory(prefix="parta-bench-") as folder:
        files = {rows: Path(folder) / f"{rows}.json" for rows in (ROWS, FIRST_ROWS)}
        files |= {rows: Path(folder) / f"{rows}.json" for rows in (LOADDATA_ROWS, VERY_FEW)}
        for rows, path in files.items():
            write_fixture(path, rows)
        connections.close_all()
        very_few = run("loaddata", files[VERY_FEW])
        empty()
        few = run("loaddata", files[LOADDATA_ROWS])
        empty()
        early = run("load_payments", files[FIRST_ROWS])
        empty()
        loaded = run("load_payments", files[ROWS])
        copied = copy_again(TABLES, Path(folder))
    more = LOADDATA_ROWS - VERY_FEW
    per_row = (few.seconds - very_few.seconds) / more
    cpu_per_row = (few.cpu - very_few.cpu) / more
    return {
        "rows": ROWS,
        "load_payments, seconds": loaded.seconds,
        "load_payments, its own CPU seconds": loaded.cpu,
        "loaddata, rows measured": LOADDATA_ROWS,
        "loaddata, seconds for all rows": per_row * ROWS,
        "loaddata, its own CPU seconds for all rows": cpu_per_row * ROWS,
        "times loaddata": per_row * ROWS / loaded.seconds,
        "times loaddata, by their own CPU": cpu_per_row * ROWS / loaded.cpu,
        "COPY of the same rows, seconds": copied,
        "times COPY": loaded.seconds / copied,
        "memory MiB": loaded.peak,
        f"memory MiB at {FIRST_ROWS:,} rows": early.peak,
        "memory grown MiB": loaded.peak - early.peak,
    }


def make_surroundings() -> None:
    """People and courses that are paid for."""
    from lms.models import Course  # noqa: PLC0415
    from people.models import User  # noqa: PLC0415

    people = User.objects.bulk_create(User(email=email("payer", n)) for n in range(PEOPLE))
    Course.objects.bulk_create(
        Course(owner=people[0], title=f"Course {number}", price=990) for number in range(COURSES)
    )


def write_fixture(path: Path, rows: int) -> None:
    from lms.models import Course  # noqa: PLC0415

    first_course = Course.objects.order_by("pk").values_list("pk", flat=True)[0]
    with path.open("w") as file:
        file.write("[\n")
        for number in range(rows):
            row = {"model": "payments.payment", "fields": fields(number, first_course)}
            file.write(json.dumps(row) + (",\n" if number < rows - 1 else "\n"))
        file.write("]\n")


def fields(number: int, first_course: int) -> dict[str, Any]:
    """What is open at Stripe can't be carried over from another book."""
    status = STATUSES[number % len(STATUSES)]
    created_at = START + timedelta(seconds=number)
    fields = {
        "external_id": f"ledger-{number}",
        "payer": [email("payer", number % PEOPLE)],
        "course": first_course + number * 7 % COURSES,
        "title": f"Course {number * 7 % COURSES}",
        "amount": f"{990 + number % 50}.00",
        "currency": "RUB",
        "method": METHODS[number % 2] if status == "pending" else METHODS[number % 3],
        "status": status,
        "created_at": created_at.isoformat(),
    }
    if status in {"paid", "refunded"}:
        fields["paid_at"] = (created_at + timedelta(hours=1)).isoformat()
    return fields


def run(command: str, file: Path) -> Run:
    """Run a command of the project with a file, and wait for it."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", command, str(file)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"{command} failed"
        raise RuntimeError(message)
    seconds = time.monotonic() - started
    sys.stderr.write(f"{command} {file.name}: {seconds:.1f} s\n")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def empty() -> None:
    """Forget all payments, and give the files of the tables their first size."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        else:
            for table in reversed(TABLES):
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
    connection.close()

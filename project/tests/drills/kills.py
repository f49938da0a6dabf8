"""A school at work for three minutes while its processes are killed again and again: workers, the
sentinel, the monitor, the guard, the cluster, web processes, and the database, once with SQLite and
once with a PostgreSQL of its own. Then four minutes of rest, and nothing may be missing or double."""

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import requests
from django.conf import settings

from project.mail.tests.sink import Port, Sink
from project.tests.drills.servers import free_port
from project.tests.processes import KEY, environment, manage, processes_of, wait_until
from project.tests.processes import run as command

SECONDS = 180
REST = 240
BUYERS = 8
COURSES = 60
PAUSE = 4.0
# After a kill of the database, until it answers again.
DATABASE_AWAY = 20.0
# How often each is killed: what takes longest to start again, least often.
WEIGHTS = {
    "worker or monitor": 6,
    "web process": 4,
    "sentinel": 2,
    "database": 2,
    "cluster": 1,
    "guard": 1,
    "web master": 1,
}
PREPARE = f"""
import json
from datetime import timedelta
from django.test import Client
from django.utils import timezone
from lms.models import Subscription
from lms.tests.factories import CourseFactory
from people.tests.factories import UserFactory
from people.tokens import issue_access_token
administrator, author = UserFactory.create(is_staff=True, is_superuser=True), UserFactory.create()
buyers = UserFactory.create_batch({BUYERS})
courses = CourseFactory.create_batch({COURSES}, owner=author, is_published=True, price=100,
    materials_updated_at=timezone.now() - timedelta(days=1))
Subscription.objects.bulk_create(
    Subscription(user=buyer, course=course) for buyer in buyers for course in courses)
client = Client()
client.force_login(administrator)
print(json.dumps({{
    "author": issue_access_token(author), "buyers": [issue_access_token(one) for one in buyers],
    "courses": [one.pk for one in courses], "session": client.cookies["sessionid"].value,
}}))
"""
LOOK = """
import json
from collections import Counter
from django.utils import timezone
from django_q.models import OrmQ, Task
from lms.models import Access
from payments.models import Payment
from project.mail.models import Delivery, Mailing
from project.mail.queries import oldest_unsent_age
paid = set(Payment.objects.filter(status="paid").values_list("pk", flat=True))
rights = Access.objects.filter(revoked_at=None, source="payment")
gave = Counter(int(one.partition(":")[2]) for one in rights.values_list("reference", flat=True))
told = Mailing.objects.filter(kind="payment_received").values_list("subject_id", flat=True)
print(json.dumps({
    "paid": len(paid), "open": Payment.objects.filter(method="stripe").exclude(status="paid").count(),
    "paid without access": len(paid - set(gave)), "access without payment": len(set(gave) - paid),
    "access given twice": sum(number > 1 for number in gave.values()),
    "paid and not told": len(paid - set(told)),
    "mails": dict(Counter(Delivery.objects.values_list("status", flat=True))),
    "tasks that wait": OrmQ.objects.exclude(key__startswith="guarded-").filter(lock__lte=timezone.now()).count(),
    "tasks in hand": OrmQ.objects.exclude(key__startswith="guarded-").count(),
    "tasks that failed": Task.objects.filter(success=False).count(),
    "is mail due": oldest_unsent_age(timezone.now()) is not None,
}))
"""


class School:
    """All that runs, as a machine's init would keep it running, and what people were answered."""

    def __init__(self, folder: Path, database: str, sink: Sink) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        stripe = str(free_port())
        self.variables = environment(
            folder,
            SECRET_KEY=KEY,
            HTTPS="off",
            ALLOWED_HOSTS="127.0.0.1",
            DATABASE_URL=database or f"sqlite:///{folder / 'db.sqlite3'}",
            EMAIL_URL=f"smtp://127.0.0.1:{sink.port}",
            STRIPE_API_KEY="sk_test_sandbox",
            STRIPE_WEBHOOK_SECRETS="whsec_sandbox",
            STRIPE_API_BASE=f"http://127.0.0.1:{stripe}",
        )
        self.of_stripe = environment(folder, SECRET_KEY=KEY, DEBUG="on", STRIPE_SANDBOX_PORT=stripe)
        web = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn.py", "project.wsgi"]
        hook = f"{self.url}/api/v1/payments/stripe/webhook"
        self.commands = {
            "web": [*web, "--bind", self.url.removeprefix("http://"), "--workers", "2"],
            "work": manage("work"),
            "stripe": manage(
                "stripe_sandbox", "--webhook-url", hook, "--memory", str(folder / "stripe.json")
            ),
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.over = Event()
        self.statuses: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.database_killed_at = -DATABASE_AWAY
        self.bought = 0

    def shell(self, code: str) -> Any:
        answer = command(manage("shell", "--no-imports", "-c", code), self.variables)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout.splitlines()[-1])

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.commands[name],
                env=self.of_stripe if name == "stripe" else self.variables,
                cwd=settings.BASE_DIR,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def keep_running(self) -> None:
        while not self.over.wait(0.5):
            for name, process in self.running.items():
                if process.poll() is not None:
                    self.start(name)

    def end(self) -> None:
        self.over.set()
        time.sleep(1)
        while pids := processes_of(self.folder):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self.running.values():
                process.poll()
            time.sleep(0.1)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask until there is an answer that is no 503: processes are killed in the middle."""
        while True:
            with suppress(requests.ConnectionError):
                answer = requests.request(method, self.url + path, timeout=120, **options)
                status = str(answer.status_code)
                is_away = time.monotonic() - self.database_killed_at < DATABASE_AWAY
                if status == "503":
                    status += " while the database was away" if is_away else f" {answer.text[:99]}"
                self.statuses[status] += 1
                if answer.status_code != 503:
                    return answer
            time.sleep(0.5)

    def buy(self, token: str, courses: list[int], until: float) -> None:
        for course in courses:
            if time.monotonic() > until:
                return
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
            method = random.choice(["stripe", "transfer"])
            body = {"course_id": course, "method": method}
            payment = self.ask("POST", "/api/v1/payments", json=body, headers=headers).json()
            if url := payment.get("payment_url"):
                form = {"outcome": random.choice(["paid", "later"])}
                requests.post(url, form, timeout=30, allow_redirects=False).raise_for_status()
            self.bought += 1
            self.ask("GET", "/api/v1/learning/courses", headers=headers)
            time.sleep(random.uniform(0.5, 3))

    def write(self, token: str, courses: list[int], until: float) -> None:
        for number, course in enumerate(courses):
            if time.monotonic() > until:
                return
            body = {"description": f"Anew, the {number}th time"}
            headers = {"Authorization": f"Bearer {token}"}
            self.ask("PATCH", f"/api/v1/courses/{course}", json=body, headers=headers)
            time.sleep(random.uniform(2, 6))

    def confirm(self, session: str, until: float) -> None:
        """As staff does: what was transferred."""
        code = 'import json\nfrom payments.models import Payment\nprint(json.dumps(list(Payment.objects.filter(method="transfer", status="pending").values_list("pk", flat=True))))'
        cookies = {"sessionid": session, "csrftoken": "a" * 32}
        while time.monotonic() < until:
            with suppress(AssertionError):
                for pk in self.shell(code):
                    self.ask(
                        "POST",
                        f"/admin/payments/payment/{pk}/confirm/",
                        data={"reason": "Statement"},
                        headers={"X-CSRFToken": "a" * 32},
                        cookies=cookies,
                        allow_redirects=False,
                    )
            time.sleep(5)

    def victims(self) -> dict[str, list[int]]:
        """Processes by what they do."""
        children: dict[int, list[int]] = {}
        found = processes_of(self.folder)
        for pid in found:
            with suppress(OSError):
                status = Path(f"/proc/{pid}/stat").read_text()
                children.setdefault(int(status.rpartition(")")[2].split()[1]), []).append(pid)
        guard, web = self.running["work"].pid, self.running["web"].pid
        clusters = [pid for pid in children.get(guard, []) if "qcluster" in found[pid]]
        sentinels = [child for pid in clusters for child in children.get(pid, [])]
        return {
            "guard": [guard],
            "cluster": clusters,
            "sentinel": sentinels,
            # Workers, the monitor and the pusher.
            "worker or monitor": [child for pid in sentinels for child in children.get(pid, [])],
            "web process": children.get(web, []),
            "web master": [web],
        }

    def kill(self, restart_database: Callable[[], None] | None, until: float) -> None:
        while time.monotonic() < until:
            victims = {name: pids for name, pids in self.victims().items() if pids}
            if restart_database:
                victims["database"] = []
            [name] = random.choices([*victims], [WEIGHTS[name] for name in victims])
            if name == "database" and restart_database:
                self.database_killed_at = time.monotonic()
                restart_database()
            else:
                with suppress(ProcessLookupError):
                    os.kill(random.choice(victims[name]), signal.SIGKILL)
            self.kills[name] += 1
            time.sleep(random.uniform(PAUSE / 2, PAUSE * 1.5))


def run(folder: Path) -> None:
    for name in ("SQLite", "PostgreSQL"):
        own = folder / name
        own.mkdir()
        if name == "SQLite":
            _measure(name, own, "", None)
        else:
            with postgresql() as (url, restart):
                _measure(name, own, url, restart)


def _measure(name: str, folder: Path, database: str, restart: Callable[[], None] | None) -> None:
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    sink = Sink()
    port = Port(sink)
    port.start()
    school = School(folder, database, sink)
    try:
        command(manage("migrate", "--skip-checks"), school.variables).check_returncode()
        known = school.shell(PREPARE)
        for process in school.commands:
            school.start(process)
        school.ask("GET", "/api/v1/meta")
        until = time.monotonic() + SECONDS
        acts = [Thread(target=school.keep_running)]
        for token in known["buyers"]:
            courses = random.sample(known["courses"], COURSES)
            acts.append(Thread(target=school.buy, args=[token, courses, until]))
        acts.append(Thread(target=school.write, args=[known["author"], known["courses"], until]))
        acts.append(Thread(target=school.confirm, args=[known["session"], until]))
        acts.append(Thread(target=school.kill, args=[restart, until]))
        for act in acts:
            act.start()
        for act in acts[1:]:
            act.join()
        print(f"{name}: {school.bought} orders; kills: {dict(school.kills)}")
        print("  answers:", dict(sorted(school.statuses.items())))
        rested = _rest(school)
        print(f"  all done after {rested}:", json.dumps(school.shell(LOOK)))
        checked = command(manage("check_payments"), school.variables)
        print("  check_payments:", checked.returncode, checked.stdout.strip()[-300:])
        copies = Counter((to, _id_of(content)) for to, content in sink.received)
        print(
            f"  mails: {len(copies)}, of them twice: {sum(n > 1 for n in copies.values())},"
            f" more often: {sum(n > 2 for n in copies.values())}"
        )
    finally:
        school.end()
        port.stop()


def _rest(school: School) -> str:
    began = time.monotonic()

    def is_done() -> bool:
        with suppress(requests.ConnectionError):
            ready = requests.get(f"{school.url}/readyz", timeout=60).status_code == 200
            look = school.shell(LOOK)
            is_idle = not look["tasks that wait"] and not look["is mail due"]
            return ready and is_idle and "waiting" not in look["mails"] and not look["open"]
        return False

    try:
        wait_until(is_done, REST, pause=3)
    except AssertionError:
        return f"more than {REST} s"
    return f"{time.monotonic() - began:.0f} s"


def _id_of(content: bytes) -> bytes:
    return next(line for line in content.splitlines() if line.lower().startswith(b"message-id:"))


@contextmanager
def postgresql() -> Iterator[tuple[str, Callable[[], None]]]:
    """A server of its own, for it is killed; as root it runs as `postgres`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    programs = str(found[-1]) + "/" if found else ""
    folder = Path(tempfile.mkdtemp(prefix="drill-postgresql-"))
    user = [] if os.geteuid() else ["runuser", "-u", "postgres", "--"]
    if user:
        shutil.chown(folder, "postgres")
    port = free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"

    def control(*arguments: str) -> None:
        log = ["-l", str(folder / "log"), "-o", options, "-w"]
        subprocess.run(
            [*user, f"{programs}pg_ctl", "-D", str(folder / "data"), *log, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )

    initialise = [f"{programs}initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "postgres"]
    subprocess.run([*user, *initialise], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    control("start")
    try:
        yield (
            f"postgres://postgres@127.0.0.1:{port}/postgres",
            lambda: control("restart", "-m", "immediate"),
        )
    finally:
        control("stop", "-m", "immediate")
        shutil.rmtree(folder, ignore_errors=True)

"""Two web hosts and two clusters on one PostgreSQL, one Redis and one storage for media: shows that
nothing a person notices depends on which of them did it.

`uv run --group bench --group hosts python -m bench.two_hosts`; exit code 1 if something does. Takes
two minutes. Needs a PostgreSQL (DATABASE_URL, or this machine's) and `redis-server`. Media are kept
in an S3-compatible server (moto) with the group `hosts`, without it in a folder that both share.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from bench.__main__ import POSTGRESQL
from bench.database import own_database
from bench.hosts import Host, bucket, cluster, redis, web_host
from project.mail.tests.sink import Port, Sink

PASSWORD = "learn with everybody"  # noqa: S105 - of made-up people
SUBSCRIBERS = 300
ATTEMPTS = 5
PATIENCE = 90.0


class Differs(Exception):
    """Says what was not as it is on one host."""


def require(condition: bool, words: str) -> None:  # noqa: FBT001 - as `assert`
    if not condition:
        raise Differs(words)


def eventually(condition: Callable[[], bool], words: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        require(time.monotonic() < deadline, f"{words} within {PATIENCE:.0f} s")
        time.sleep(0.1)


# --- What has to hold ---------------------------------------------------------------------------


def tokens_hold_and_end_everywhere(one: Host, other: Host) -> str:
    tokens = one.log_in("learner@school.example", PASSWORD)
    require(other.ask("GET", "users/me", tokens["access"])[0] == 200, "a token of one host")
    again = {"refresh": tokens["refresh"]}
    require(one.ask("POST", "auth/logout", tokens["access"], again)[0] == 204, "log-out")
    require(other.ask("POST", "auth/token/refresh", "", again)[0] == 401, "a refresh after log-out")
    changed = {"old_password": PASSWORD, "new_password": f"{PASSWORD} anew"}
    status, _ = one.ask("POST", "auth/password/change", tokens["access"], changed)
    require(status == 204, f"change of the password: {status}")
    require(other.ask("GET", "users/me", tokens["access"])[0] == 401, "an ended access token")
    return "a token of one host is good on the other, and ended on one it is refused by the other"


def throttles_are_shared(one: Host, other: Host) -> str:
    wrong = {"email": "guessed@school.example", "password": "guess after guess"}
    one.address = other.address = "203.0.113.7"
    hosts = [one, other] * ATTEMPTS
    statuses = [host.ask("POST", "auth/token", "", wrong)[0] for host in hosts]
    one.address = other.address = ""
    expected = [401] * ATTEMPTS + [429] * ATTEMPTS
    require(statuses == expected, f"guesses in turn on both hosts: {statuses}")
    return f"{ATTEMPTS} guesses are let through by both hosts together, then both answer 429"


def sessions_are_shared(one: Host, other: Host) -> str:
    one.log_in_to_admin("administrator@school.example", PASSWORD)
    other.cookies = one.cookies
    status, _page = other.page("/admin/")
    require(status == 200, f"the admin's first page on the other host: {status}")
    return "who logged in to the admin on one host is logged in on the other"


def media_are_shared(one: Host, other: Host) -> str:
    access = one.log_in("author@school.example", PASSWORD)["access"]
    status, profile = one.send_picture("users/me/avatar", access)
    require(status == 200, f"upload of a picture: {status} {profile}")
    _status, seen = other.ask("GET", "users/me", access)
    # What follows is the signature of the storage.
    ours, theirs = (one["avatar"].partition("?")[0] for one in (profile, seen))
    require(ours == theirs, f"the address of the picture, {ours} and {theirs}")
    require(other.has_picture(seen["avatar"]), f"the picture at {seen['avatar']}")
    require(other.ask("DELETE", "users/me/avatar", access)[0] == 204, "deletion on the other")
    require(not one.has_picture(seen["avatar"]), "deletion of the file")
    return f"a picture uploaded to one host is seen and deleted through the other ({one.storage})"


def mails_are_sent_once(one: Host, other: Host, sink: Sink) -> str:
    from lms.models import Course  # noqa: PLC0415 - Django is set up by now

    course = Course.objects.get()
    access = other.log_in("author@school.example", PASSWORD)["access"]
    change = {"description": "New, and seen by all."}
    require(one.ask("PATCH", f"courses/{course.pk}", access, change)[0] == 200, "the change")
    eventually(lambda: len(sink.counts) == SUBSCRIBERS, f"{SUBSCRIBERS} people get a mail")
    time.sleep(5)  # for what should not come
    more = [address for address, count in sink.counts.items() if count > 1]
    require(not more, f"{len(more)} people got more than one mail")
    return f"{SUBSCRIBERS} subscribers got one mail each, with both clusters at work"


def schedules_run_once(_one: Host, _other: Host) -> str:
    from django.utils import timezone  # noqa: PLC0415
    from django_q.models import Schedule, Task  # noqa: PLC0415

    daily = Schedule.objects.filter(schedule_type=Schedule.CRON)
    functions = list(daily.values_list("func", flat=True))
    for _time in range(2):
        before = {name: Task.objects.filter(func=name).count() for name in functions}
        daily.update(next_run=timezone.now() - timedelta(seconds=1))

        def runs(before: dict[str, int] = before) -> dict[str, int]:
            return {n: Task.objects.filter(func=n).count() - before[n] for n in functions}

        eventually(lambda: all(runs().values()), "all schedules run")
        time.sleep(35)  # until the other cluster has looked at the schedules, too
        require(set(runs().values()) == {1}, f"how often the schedules ran: {runs()}")
    return f"{len(functions)} schedules that were due for both clusters ran once, twice in a row"


def both_clusters_work(_one: Host, _other: Host) -> str:
    """Each answers by what its workers finish while the other one is stopped; see `main`."""
    from project.common.background.queue import last_execution  # noqa: PLC0415

    before = last_execution()
    eventually(lambda: last_execution() != before, "a task is finished")
    return "with one cluster gone the other one does the work"


# --- The stage ----------------------------------------------------------------------------------


def make_people() -> None:
    from django.core.management import call_command  # noqa: PLC0415

    from lms.models import Course, Subscription  # noqa: PLC0415
    from people.models import User  # noqa: PLC0415

    call_command("loaddata", "groups", verbosity=0)
    User.objects.create_superuser("administrator@school.example", PASSWORD)
    User.objects.create_user("learner@school.example", PASSWORD)
    author = User.objects.create_user("author@school.example", PASSWORD)
    quiet = author.date_joined - timedelta(days=1)
    course = Course.objects.create(
        owner=author, title="Bread", is_published=True, materials_updated_at=quiet
    )
    people = User.objects.bulk_create(
        User(email=f"reader{number}@school.example") for number in range(SUBSCRIBERS)
    )
    Subscription.objects.bulk_create(Subscription(user=one, course=course) for one in people)


@contextmanager
def mail_server() -> Iterator[Sink]:
    sink = Sink()
    port = Port(sink)
    port.start()
    try:
        yield sink
    finally:
        port.stop()


def main() -> int:
    os.environ["DATABASE_URL"] = os.environ.get("DATABASE_URL") or POSTGRESQL
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parta-hosts-")))
        sink = stack.enter_context(mail_server())
        common = {
            "CACHE_URL": stack.enter_context(redis(folder)),
            "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}",
            "THROTTLE_LOGIN": f"{ATTEMPTS}/min",
            "SITE_URL": "https://school.example",
            "FRONTEND_URL": "https://app.school.example",
        }
        has_s3 = find_spec("moto") is not None and find_spec("storages") is not None
        media = {"STORAGE_URL": stack.enter_context(bucket())} if has_s3 else {}
        stack.enter_context(own_database(**common, **media, ALLOWED_HOSTS="127.0.0.1"))
        make_people()
        names = ("one", "other")
        hosts = [stack.enter_context(web_host(name, folder / name, common)) for name in names]
        clusters = [stack.enter_context(cluster(folder / name)) for name in names]
        checks: list[Callable[[Host, Host], str]] = [
            throttles_are_shared,
            sessions_are_shared,
            media_are_shared,
            lambda one, other: mails_are_sent_once(one, other, sink),
            schedules_run_once,
            tokens_hold_and_end_everywhere,
        ]
        failures = sum(not holds(check, hosts) for check in checks)
        for ended in clusters[:1]:
            ended.end()
        failures += not holds(both_clusters_work, hosts)
    return 1 if failures else 0


def holds(check: Callable[[Host, Host], str], hosts: list[Host]) -> bool:
    try:
        words, is_good = check(hosts[0], hosts[1]), True
    except Differs as difference:
        words, is_good = str(difference), False
    sys.stdout.write(f"{'ok' if is_good else 'FAILED':7}{words}\n")
    sys.stdout.flush()
    return is_good


if __name__ == "__main__":
    sys.exit(main())

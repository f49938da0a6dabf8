"""The probes: `/healthz` says that the process lives, `/readyz` that it can do its work.

They answer before the middleware that checks `Host`, because a load balancer and a container
runtime ask by address; what they say depends on nothing in the request. Nothing of the
configuration is told: names of checks and plain words only.
"""

from collections.abc import Callable

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from project.common.background.queue import (
    SILENCE_LIMIT,
    last_execution,
    next_canary,
    oldest_waiting_age,
)
from project.mail.queries import oldest_unsent_age

OK = "ok"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    checks = run_checks()
    ready = all(result == OK for result in checks.values())
    body = {"status": OK if ready else "unavailable", "checks": checks, "waiting": ages(checks)}
    return JsonResponse(body, status=200 if ready else 503)


def run_checks() -> dict[str, str]:
    """Say of each thing that work depends on `ok`, or what is wrong with it."""
    checks = {"database": OK, "migrations": "not checked", "worker": "not checked"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return checks | {"database": "unreachable"}
    for name, check in (("migrations", check_migrations), ("worker", check_worker)):
        try:
            checks[name] = check()
        except Error:
            checks[name] = "not readable"
    return checks


def ages(checks: dict[str, str]) -> dict[str, int | None]:
    """For how many seconds the oldest task and the oldest mail have been due; None: nothing is.

    To be watched, but no reason to take the host away from the people on it: a mail server that
    is down for an hour stops no request.
    """
    if checks["database"] != OK or checks["migrations"] != OK:
        return {}
    found = {"task": oldest_waiting_age(), "mail": oldest_unsent_age(timezone.now())}
    return {name: None if age is None else int(age.total_seconds()) for name, age in found.items()}


def check_migrations() -> str:
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return f"{waiting} not applied" if waiting else OK


def check_worker() -> str:
    """Judge the worker by what it did: one that hangs still looks alive from outside."""
    last = last_execution()
    if last is None:
        return "no execution seen yet"
    now = timezone.now()
    if now - last > SILENCE_LIMIT:
        return f"no execution since {last.isoformat(timespec='seconds')}"
    # A cluster may do what it is given, and look at no clock.
    due = next_canary()
    if due is not None and abs(now - due) > SILENCE_LIMIT:
        return f"no schedule runs: one is due {due.isoformat(timespec='seconds')}"
    return OK


PROBES = {"/healthz": healthz, "/readyz": readyz}


class ProbeMiddleware:
    """Answer the probes, and let everything else pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path_info, self.get_response)(request)

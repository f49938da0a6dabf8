"""What the worker cluster does beyond Django-Q2: it gives up tasks that kill their worker, answers
its guard, and keeps its workers small. Q_CLUSTER["broker_class"] has the cluster load it.
"""

import contextlib
import logging
import os
import resource
from time import sleep

from django.conf import settings
from django.db import Error, transaction
from django.dispatch import receiver
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ, Task
from django_q.signals import post_execute_in_worker, post_spawn, pre_execute
from django_q.signing import BadSignature, SignedPackage
from django_q.utils import get_func_repr

from project.common.background.outcomes import is_quiet
from project.common.background.schedules import HOUSEKEEPING
from project.common.logging import without_addresses

logger = logging.getLogger(__name__)

# The guard of a cluster (project/processes/worker_guard.py) names it in the environment. Tasks with
# this name as the key of their queue are for this cluster alone.
NAME_VARIABLE = "PARTA_CLUSTER"
NAME_PREFIX = "guarded-"
# The group of tasks that found nothing to do, and of housekeeping: nobody looks for them.
QUIET = "quiet"
# What the record says of a task that kills its worker each time (project/common/background/failures.py).
GIVEN_UP = "Given up: no worker finished it"


class Broker(ORM):  # type: ignore[misc]
    """The queue in the database. A task that is handed out counts as a try, for a worker that dies
    of it counts nothing; after Q_CLUSTER["max_attempts"] it is put with those that failed."""

    def dequeue(self) -> list[tuple[int, str]]:
        # A sign of life is not to wait behind the work of all.
        for key in filter(None, (os.environ.get(NAME_VARIABLE), self.list_key)):
            waiting = self.get_connection().filter(key=key, lock__lt=timezone.now()).order_by("pk")
            taken = [(row.pk, row.payload) for row in waiting[: Conf.BULK] if self._take(row)]
            if taken:
                return taken
        sleep(Conf.POLL)
        return []

    def _take(self, row: OrmQ) -> bool:
        """Count a try. False if the task has had all of them, or another cluster was faster."""
        with contextlib.suppress(
            TypeError, BadSignature
        ):  # the cluster throws it away, and logs it
            task = SignedPackage.loads(row.payload)
            tries = task.get("tries", 0)
            if tries >= Conf.MAX_ATTEMPTS:
                self._give_up(row, task, tries)
                return False
            row.payload = SignedPackage.dumps(task | {"tries": tries + 1})
        free = self.get_connection().filter(pk=row.pk, lock=row.lock)
        return bool(free.update(lock=self.timeout(row), payload=row.payload))

    @transaction.atomic
    def _give_up(self, row: OrmQ, task: dict[str, object], tries: int) -> None:
        """Put the task with those that failed, unless another cluster did, or it was done."""
        deleted, _models = self.get_connection().filter(pk=row.pk, lock=row.lock).delete()
        if not deleted or Task.objects.filter(pk=task["id"], success=True).exists():
            return
        func = get_func_repr(task["func"])
        reason = f"{GIVEN_UP} in {tries} tries."
        logger.error("The task %s was given up after %d tries", func, tries)
        known = {name: task.get(name) for name in ("name", "hook", "args", "kwargs", "group")}
        found = Task.objects.filter(pk=task["id"]).first()
        Task.objects.update_or_create(
            pk=task["id"],
            defaults={
                **known,
                "func": func,
                "cluster": Conf.CLUSTER_NAME,
                "started": task["started"],
                "stopped": timezone.now(),
                "success": False,
                "result": f"{found.result}\n{reason}" if found else reason,
                "attempt_count": tries,
            },
        )


@receiver(pre_execute)
def begin(task: dict[str, object], **signal: object) -> None:
    """The record of the task says when its work began; the cluster notes when it was queued."""
    task["started"] = timezone.now()


@receiver(post_execute_in_worker)
def acknowledge(task: dict[str, object], **signal: object) -> None:
    """Take what was done off the queue at once, and not when the monitor has recorded it: a monitor
    that is killed leaves hundreds of results unread, and all of these would be done again."""
    if task["success"] and not task.get("sync") and (row := task.get("ack_id")):
        with contextlib.suppress(Error):  # then the monitor does it
            get_broker().acknowledge(row)


@receiver(post_execute_in_worker)
def sign(task: dict[str, object], **signal: object) -> None:
    """Let the record of the task say which cluster did it: others work on this database, too. What it
    keeps of an error names nobody."""
    if isinstance(result := task.get("result"), str):
        task["result"] = without_addresses(result)
    if task.get("success") and (is_quiet(result) or task.get("func") in HOUSEKEEPING):
        task["group"] = QUIET
    if name := os.environ.get(NAME_VARIABLE):
        task["cluster"] = name


@receiver(post_spawn)
def limit_memory(**signal: object) -> None:
    """A task that wants too much memory gets a MemoryError, instead of the whole machine."""
    limit = settings.WORKER_MEMORY * 1024 * 1024
    with contextlib.suppress(OSError, ValueError):  # a stricter limit of the system stays
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

"""Keeping the author's name in what a search for courses looks at."""

from itertools import batched

from django.db import transaction

from lms.models import Course
from people.models import User
from project.common.background.queue import enqueue

BATCH = 200


def author_saved(
    instance: User, *, update_fields: frozenset[str] | None, **_others: object
) -> None:
    """After each save of a person. A worker sees to the courses, which may be thousands."""
    may_be_renamed = update_fields is None or "first_name" in update_fields
    if may_be_renamed and Course.objects.filter(owner=instance).exists():
        enqueue("lms.tasks.renew_searches", instance.pk)


def renew_searches(author_id: int) -> int:
    """Have all courses of the author found by their present name; return how many. Each batch is a
    transaction of its own, so that nobody waits for long."""
    courses = Course.objects.filter(owner_id=author_id).select_related("owner").order_by("pk")
    searched = Course._meta.get_field("searched")
    renewed = 0
    for keys in batched(courses.values_list("pk", flat=True), BATCH, strict=False):
        with transaction.atomic():
            rows = courses.select_for_update(of=("self",), no_key=True).filter(pk__in=keys)
            for row in rows:
                searched.pre_save(row, add=False)
            renewed += Course.objects.bulk_update(rows, ["searched"])
    return renewed

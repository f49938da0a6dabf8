"""Keeping the author's name in what a search for courses looks at."""

from functools import partial

from django.db import transaction

from lms.models import Course
from people.models import User


def author_saved(
    instance: User, *, update_fields: frozenset[str] | None, **_others: object
) -> None:
    """After each save of a person. The courses come after the commit: an edit of one of them may
    wait for the person, and both would wait for each other."""
    if update_fields is None or "first_name" in update_fields:
        transaction.on_commit(partial(renew_searches, instance.pk))


@transaction.atomic
def renew_searches(author_id: int) -> None:
    """Have all courses of the author found by their present name."""
    courses = Course.objects.filter(owner_id=author_id).select_related("owner").order_by("pk")
    for course in courses.select_for_update(of=("self",), no_key=True).iterator():
        course.save(update_fields=["searched"])

"""What is kept beside the descriptions of before, made anew."""

from itertools import batched

from django.db import transaction

from lms.markdown import render
from lms.models import Course, Lesson
from lms.models.materials import RENDERED_FIELDS

BATCH = 200


def render_again() -> int:
    """Render all descriptions, and save what differs from what is kept; return of how many."""
    return _render_all(Course) + _render_all(Lesson)


def _render_all[M: (Course, Lesson)](model: type[M]) -> int:
    """Each batch is a transaction of its own, so that nobody waits for long."""
    rows = model._default_manager.order_by("pk")  # noqa: SLF001 - documented
    changed = 0
    for keys in batched(rows.values_list("pk", flat=True).iterator(), BATCH, strict=False):
        with transaction.atomic():
            differing = []
            for row in rows.select_for_update().filter(pk__in=keys):
                rendered = render(row.description)
                if (row.summary, row.description_html) != rendered:
                    row.summary, row.description_html = rendered
                    differing.append(row)
            rows.bulk_update(differing, RENDERED_FIELDS)
            changed += len(differing)
    return changed

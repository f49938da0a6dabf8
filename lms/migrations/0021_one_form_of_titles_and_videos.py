from django.db import migrations, transaction
from django.db.models import Q
from django.utils import timezone

from lms.videos import video_at
from project.common.texts import NO_LINE, TURNING, one_line

BATCH = 500
# Titles that `one_line` changes, and addresses that `video_at` leaves as they are. What is left in
# another form would seem to be changed by the next save of its page.
OTHER_LINE = (
    rf"{NO_LINE}|{TURNING.pattern}|^ | {{2}}| $|[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
)
LIST = "list=(?!FL|HL|LL|LM|RD|TL|UL|WL)[A-Za-z0-9_-]{2,64}"
STORED = (
    rf"^https://www\.youtube\.com/(watch\?v=[A-Za-z0-9_-]{{11}}(&{LIST})?(&t=[1-9][0-9]{{0,5}}s)?"
    rf"|playlist\?{LIST})$"
)


def bring_into_form(apps, schema_editor):
    """A title is one line; the address of a video has one form, where it names one that can be
    embedded. A batch is a transaction of its own, which locks its rows. Stopped half-way, it may be
    run again."""
    alias = schema_editor.connection.alias
    other_line = Q(title__regex=OTHER_LINE)
    other_form = ~Q(video_url="") & ~Q(video_url__regex=STORED)
    for name, differing in (("Course", other_line), ("Lesson", other_line | other_form)):
        rows = apps.get_model("lms", name).objects.using(alias).filter(differing)
        states = apps.get_model("lms", f"Historical{name}").objects.using(alias)
        last = 0
        while keys := list(
            rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
        ):
            last = keys[-1]
            with transaction.atomic(using=alias):
                _mend(rows.filter(pk__in=keys).select_for_update().order_by("pk"), states)


def _mend(rows, states):
    mended = [row for row in rows if _mend_row(row)]
    names = [name for name in ("title", "video_url") if hasattr(rows.model, name)]
    rows.model.objects.using(rows.db).bulk_update(mended, names)
    # Without a state of their own, the next edit would seem to have made these changes.
    kept = {field.attname for field in states.model._meta.concrete_fields}
    kept &= {field.attname for field in rows.model._meta.concrete_fields}
    at = timezone.now()
    states.bulk_create(
        states.model(
            history_type="~", history_date=at, **{name: getattr(row, name) for name in kept}
        )
        for row in mended
    )


def _mend_row(row):
    before = row.title, getattr(row, "video_url", "")
    # A title of which nothing can be seen has to be found to be given another.
    row.title = one_line(row.title) or "…"
    if video := video_at(before[1]):
        row.video_url = video.address
    return before != (row.title, getattr(row, "video_url", ""))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("lms", "0020_published_lessons"),
    ]

    operations = [
        migrations.RunPython(bring_into_form, migrations.RunPython.noop),
    ]

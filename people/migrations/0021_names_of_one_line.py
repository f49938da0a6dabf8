from django.db import migrations, transaction
from django.db.models import Q

from project.common.texts import NO_LINE, TURNING, one_line

BATCH = 500
NAMES = ("first_name", "last_name", "city")


def make_one_line(apps, schema_editor):
    """Names from before the rule may have line breaks and marks that turn the letters. Links in them
    stay: `manage.py audit_links` lists these. A batch is a transaction of its own, which locks its
    rows. Stopped half-way, it may be run again."""
    alias = schema_editor.connection.alias
    odd = Q()
    for name in NAMES:
        odd |= Q(**{f"{name}__regex": f"{NO_LINE}|{TURNING.pattern}"})
    people = apps.get_model("people", "User").objects.using(alias).filter(odd)
    last = 0
    while keys := list(
        people.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        last = keys[-1]
        with transaction.atomic(using=alias):
            rows = people.filter(pk__in=keys).select_for_update(no_key=True).order_by("pk")
            for person in rows:
                for name in NAMES:
                    setattr(person, name, one_line(getattr(person, name)))
            people.model.objects.using(alias).bulk_update(rows, NAMES)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("people", "0020_staff_messages"),
    ]

    operations = [
        migrations.RunPython(make_one_line, migrations.RunPython.noop),
    ]

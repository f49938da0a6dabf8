from django.db import migrations
from django.db.models import F

BATCH = 5000


def confirm_existing(apps, schema_editor):
    """Nobody asked these people, and what they subscribed to must not stop. A batch is a statement of
    its own."""
    alias = schema_editor.connection.alias
    people = apps.get_model("people", "User").objects.using(alias)
    left = people.filter(email_confirmed_at=None).exclude(blocked_reason="erased").order_by("pk")
    last = 0
    while keys := list(left.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        last = keys[-1]
        people.filter(pk__in=keys, email_confirmed_at=None).update(
            email_confirmed_at=F("date_joined")
        )


class Migration(migrations.Migration):
    """Addresses of the accounts that are there count as confirmed. Stopped half-way, it is run again."""

    atomic = False

    dependencies = [
        ("people", "0015_email_confirmed"),
    ]

    operations = [
        migrations.RunPython(confirm_existing, migrations.RunPython.noop),
    ]

import sys

from django.db import migrations


def bring_into_form(apps, schema_editor):
    # Not above: a service knows the models as they are, which are not loaded yet.
    from people.services.mailboxes import bring_into_form, told  # noqa: PLC0415

    people = apps.get_model("people", "User")._base_manager  # noqa: SLF001 - documented
    shared = bring_into_form(people.using(schema_editor.connection.alias))
    for accounts in shared:
        sys.stdout.write(f"\n    {told(accounts)}.")
    if shared:
        sys.stdout.write(
            "\n    They were left as they are. `manage.py find_duplicate_accounts` tells more of them,"
            "\n    and docs/operations.md, Accounts of one mailbox, how to settle it.\n   "
        )


class Migration(migrations.Migration):
    """Keep e-mail addresses in one form. Stopped half-way, it is run again."""

    atomic = False

    dependencies = [
        ("people", "0010_roles_of_staff"),
    ]

    operations = [
        migrations.RunPython(bring_into_form, migrations.RunPython.noop),
    ]

from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from lms.markdown import render

BATCH = 200


def render_descriptions(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Render what was saved before. A batch is a transaction of its own, which locks its rows: an
    edit at the same moment is not overwritten. Stopped half-way, it may be run again."""
    alias = schema_editor.connection.alias
    for name in ("Course", "Lesson"):
        rows = apps.get_model("lms", name).objects.using(alias)
        unrendered = rows.exclude(description="").filter(description_html="")
        last = 0
        while (
            keys := unrendered.filter(pk__gt=last)
            .order_by("pk")
            .values_list("pk", flat=True)[:BATCH]
        ):
            keys = list(keys)
            last = keys[-1]
            with transaction.atomic(using=alias):
                batch = list(unrendered.select_for_update().filter(pk__in=keys).order_by("pk"))
                for row in batch:
                    row.summary, row.description_html = render(row.description)
                rows.bulk_update(batch, ["summary", "description_html"])


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("lms", "0009_rendered_descriptions"),
    ]

    operations = [
        migrations.RunPython(render_descriptions, migrations.RunPython.noop),
    ]

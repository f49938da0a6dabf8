from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from project.common.db.searched import normalised

BATCH = 200


def fill_searched_texts(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Fill in what was saved before. A batch is a transaction of its own, which locks its rows: an
    edit at the same moment is not overwritten. Stopped half-way, it may be run again."""
    alias = schema_editor.connection.alias
    for name in ("Course", "Lesson"):
        rows = apps.get_model("lms", name).objects.using(alias)
        if name == "Course":
            rows = rows.select_related("owner")
        last = 0
        while keys := list(
            rows.filter(pk__gt=last, searched="")
            .order_by("pk")
            .values_list("pk", flat=True)[:BATCH]
        ):
            last = keys[-1]
            with transaction.atomic(using=alias):
                batch = list(rows.filter(pk__in=keys).select_for_update(of=("self",)))
                for row in batch:
                    texts = [row.title, row.description]
                    if name == "Course":
                        texts.append(row.owner.first_name)
                    row.searched = normalised("\n".join(texts))
                rows.bulk_update(batch, ["searched"])


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("lms", "0011_searched_texts"),
    ]

    operations = [
        migrations.RunPython(fill_searched_texts, migrations.RunPython.noop),
    ]

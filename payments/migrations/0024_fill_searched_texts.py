from django.db import migrations

from project.common.db.search_index import CreateSearchIndex, DropSearchIndex, fill_searched


class Migration(migrations.Migration):
    """What was written before is found, too. Stopped half-way, it is run again."""

    atomic = False

    dependencies = [
        ("payments", "0023_searched_texts"),
    ]

    operations = [
        migrations.RunPython(
            fill_searched("payments", "payment", {"searched": ["title"]}), migrations.RunPython.noop
        ),
        CreateSearchIndex("payment", ["searched"], "payment_searched", normalised=True),
        DropSearchIndex("payment", ["title"], "payment_search"),
    ]

from django.db import migrations

from project.common.db.search_index import CreateSearchIndex, DropSearchIndex, fill_searched


class Migration(migrations.Migration):
    """What was written before is found, too. Stopped half-way, it is run again."""

    atomic = False

    dependencies = [
        ("mail", "0003_searched_texts"),
    ]

    operations = [
        migrations.RunPython(
            fill_searched("mail", "mailing", {"searched": ["title"]}), migrations.RunPython.noop
        ),
        CreateSearchIndex("mailing", ["searched"], "mailing_searched", normalised=True),
        DropSearchIndex("mailing", ["title"], "mailing_search"),
    ]

from django.db import migrations

from project.common.db.search_index import CreateSearchIndex, DropSearchIndex, fill_searched


class Migration(migrations.Migration):
    """What was written before is found, too. Stopped half-way, it is run again."""

    atomic = False

    dependencies = [
        ("people", "0008_searched_texts"),
    ]

    operations = [
        migrations.RunPython(
            fill_searched(
                "people",
                "user",
                {"searched": ["first_name", "city"], "searched_by_staff": ["last_name", "email"]},
            ),
            migrations.RunPython.noop,
        ),
        CreateSearchIndex(
            "user", ["searched", "searched_by_staff"], "user_searched", normalised=True
        ),
        CreateSearchIndex("user", ["phone"], "user_phone"),
        DropSearchIndex(
            "user", ["email", "first_name", "last_name", "phone", "city"], "user_search"
        ),
    ]

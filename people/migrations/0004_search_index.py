from django.db import migrations

from project.common.db.search_index import CreateSearchIndex


class Migration(migrations.Migration):
    """Let large tables be searched."""

    dependencies = [
        ("people", "0003_indexes_of_lists"),
    ]

    operations = [
        CreateSearchIndex(
            "user", ["email", "first_name", "last_name", "phone", "city"], "user_search"
        ),
    ]

from django.db import migrations

from project.common.db.search_index import CreateSearchIndex


class Migration(migrations.Migration):
    """Let large tables be searched."""

    dependencies = [
        ("payments", "0003_indexes_of_lists"),
    ]

    operations = [
        CreateSearchIndex("payment", ["title"], "payment_search"),
    ]

from django.db import migrations

from project.common.db.search_index import CreateSearchIndex


class Migration(migrations.Migration):
    """Let large tables be searched."""

    dependencies = [
        ("lms", "0004_indexes_of_lists"),
    ]

    operations = [
        CreateSearchIndex("course", ["title", "description"], "course_search"),
        CreateSearchIndex("lesson", ["title", "description"], "lesson_search"),
    ]

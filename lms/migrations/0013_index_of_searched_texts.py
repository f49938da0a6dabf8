from django.db import migrations

from project.common.db.search_index import CreateSearchIndex, DropSearchIndex


class Migration(migrations.Migration):
    """Let the texts be searched; the index on SQLite comes after each migration
    (`project/common/db/searched.py`)."""

    dependencies = [
        ("lms", "0012_fill_searched_texts"),
    ]

    operations = [
        CreateSearchIndex("course", ["searched"], "course_searched", normalised=True),
        CreateSearchIndex("lesson", ["searched"], "lesson_searched", normalised=True),
        DropSearchIndex("course", ["title", "description"], "course_search"),
        DropSearchIndex("lesson", ["title", "description"], "lesson_search"),
    ]

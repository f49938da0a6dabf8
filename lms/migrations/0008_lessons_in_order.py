from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

CLOSE_GAPS = """
    UPDATE lms_lesson SET position = counted.place
    FROM (
        SELECT id, ROW_NUMBER() OVER (PARTITION BY course_id ORDER BY position, id) - 1 AS place
        FROM lms_lesson
    ) AS counted
    WHERE counted.id = lms_lesson.id AND lms_lesson.position <> counted.place
"""


def close_gaps(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Lessons keep their order; positions that repeat or leave gaps become 0, 1, 2 …"""
    if schema_editor.connection.vendor == "postgresql":
        # Or a lesson that comes meanwhile takes a place that the constraint finds taken.
        schema_editor.execute("LOCK TABLE lms_lesson IN SHARE ROW EXCLUSIVE MODE")
    schema_editor.execute(CLOSE_GAPS)


class Migration(migrations.Migration):
    """Give the lessons of each course the positions 0, 1, 2 …, and let the database hold that none
    is taken twice."""

    dependencies = [
        ("lms", "0007_order_in_history"),
    ]

    operations = [
        migrations.RunPython(close_gaps, migrations.RunPython.noop),
        migrations.AddConstraint(
            "lesson",
            models.UniqueConstraint(
                fields=["course", "position"],
                name="lesson_position_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ),
    ]

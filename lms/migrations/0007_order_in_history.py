from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the history of a course tell in which order its lessons were put."""

    dependencies = [
        ("lms", "0006_indexes_of_accesses"),
    ]

    operations = [
        migrations.AddField("historicalcourse", "lessons_before", models.JSONField(null=True)),
        migrations.AddField("historicalcourse", "lessons_after", models.JSONField(null=True)),
    ]

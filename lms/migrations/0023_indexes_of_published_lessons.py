from django.db import migrations, models


class Migration(migrations.Migration):
    """Have the published lessons counted, and the drafts listed, by indexes."""

    dependencies = [
        ("lms", "0022_titles_of_one_line"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="lesson",
            index=models.Index(
                fields=["course", "position", "id", "is_published"], name="lesson_in_order"
            ),
        ),
        migrations.RemoveIndex(
            model_name="lesson",
            name="lesson_order",
        ),
        migrations.AddIndex(
            model_name="lesson",
            index=models.Index(
                condition=models.Q(("is_published", False)),
                fields=["-updated_at", "-id"],
                name="lesson_draft_updated",
            ),
        ),
    ]

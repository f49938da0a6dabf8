from django.db import migrations, models

SUMMARY = models.CharField(blank=True, db_default="", editable=False, max_length=200)
HTML = models.TextField(blank=True, db_default="", editable=False)


class Migration(migrations.Migration):
    """Keep descriptions as they are shown, and a summary of them."""

    dependencies = [
        ("lms", "0008_lessons_in_order"),
    ]

    operations = [
        migrations.AddField("course", "summary", SUMMARY.clone()),
        migrations.AddField("course", "description_html", HTML.clone()),
        migrations.AddField("lesson", "summary", SUMMARY.clone()),
        migrations.AddField("lesson", "description_html", HTML.clone()),
    ]

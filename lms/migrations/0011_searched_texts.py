from django.db import migrations, models

TEXT = models.TextField(blank=True, db_default="", default="", editable=False)


class Migration(migrations.Migration):
    """Keep texts as searches compare them."""

    dependencies = [
        ("lms", "0010_render_descriptions"),
    ]

    operations = [
        migrations.AddField("course", "searched", TEXT.clone()),
        migrations.AddField("lesson", "searched", TEXT.clone()),
    ]

from django.db import migrations, models

TEXT = models.TextField(blank=True, db_default="", default="", editable=False)


class Migration(migrations.Migration):
    """Keep texts as searches compare them."""

    dependencies = [
        ("people", "0007_identity"),
    ]

    operations = [
        migrations.AddField("user", "searched", TEXT.clone()),
        migrations.AddField("user", "searched_by_staff", TEXT.clone()),
    ]

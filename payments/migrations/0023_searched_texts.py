from django.db import migrations, models

TEXT = models.TextField(blank=True, db_default="", default="", editable=False)


class Migration(migrations.Migration):
    """Keep texts as searches compare them."""

    dependencies = [
        ("payments", "0022_other_mode"),
    ]

    operations = [
        migrations.AddField("payment", "searched", TEXT.clone()),
    ]

from django.db import migrations, models

TEXT = models.TextField(blank=True, db_default="", default="", editable=False)


class Migration(migrations.Migration):
    """Keep texts as searches compare them."""

    dependencies = [
        ("mail", "0002_lists_of_the_admin"),
    ]

    operations = [
        migrations.AddField("mailing", "searched", TEXT.clone()),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep what the dashboard shows of large tables."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Figure",
            fields=[
                ("name", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("value", models.JSONField()),
                ("counted_at", models.DateTimeField()),
                ("seconds", models.FloatField()),
            ],
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the list of events be filtered by type and day without being read whole."""

    dependencies = [
        ("payments", "0006_days_of_payment"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="stripeevent",
            index=models.Index(fields=["type", "-id"], name="stripe_event_type"),
        ),
        migrations.AddIndex(
            model_name="stripeevent",
            index=models.Index(fields=["received_at"], name="stripe_event_received"),
        ),
    ]

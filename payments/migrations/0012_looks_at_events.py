from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep the looks at Stripe's events, and which events may prove to be ours."""

    dependencies = [
        ("payments", "0011_refunded_within_amount"),
    ]

    operations = [
        migrations.CreateModel(
            name="StripeLook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("events", models.PositiveIntegerField(default=0, verbose_name="events")),
                (
                    "missed",
                    models.PositiveIntegerField(
                        default=0, verbose_name="of these not told by the webhook"
                    ),
                ),
            ],
            options={
                "verbose_name": "look at Stripe's events",
                "verbose_name_plural": "looks at Stripe's events",
                "ordering": ("-started_at",),
            },
        ),
        migrations.AddField(
            model_name="stripeevent",
            name="intent_id",
            field=models.CharField(blank=True, editable=False, max_length=255),
        ),
        migrations.AddIndex(
            model_name="stripeevent",
            index=models.Index(
                condition=models.Q(("intent_id", ""), _negated=True),
                fields=["intent_id"],
                name="stripe_event_intent",
            ),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """Let payments be read from one day to another."""

    dependencies = [
        ("payments", "0005_idempotency_keys_by_age"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("paid_at__isnull", False)),
                fields=["paid_at"],
                name="payment_paid_at",
            ),
        ),
    ]

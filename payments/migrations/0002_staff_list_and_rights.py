from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the staff's list be read in order, and let rights to decide about money be given."""

    dependencies = [
        ("payments", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="payment",
            options={
                "ordering": ("-created_at", "-id"),
                "permissions": [
                    ("confirm_payment", "confirm and reject"),
                    ("refund_payment", "refund"),
                ],
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
            },
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["-created_at", "-id"], name="payment_created"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                fields=["status", "-created_at", "-id"], name="payment_status_created"
            ),
        ),
    ]

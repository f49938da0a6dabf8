from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the database hold that a payment is refunded when all of it was given back."""

    dependencies = [("payments", "0010_refunds_of_the_past")]

    operations = [
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("refunded_amount", models.F("amount")), ("status", "refunded")),
                    models.Q(
                        ("refunded_amount__gte", 0),
                        ("refunded_amount__lt", models.F("amount")),
                        ("status", "paid"),
                    ),
                    models.Q(
                        models.Q(("status", "refunded"), _negated=True), ("refunded_amount", 0)
                    ),
                    _connector="OR",
                ),
                name="payment_refunded_is_within_amount",
            ),
        ),
    ]

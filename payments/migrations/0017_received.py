from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep what came if it was another sum than was asked for."""

    dependencies = [("payments", "0016_refusals")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="received_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                editable=False,
                max_digits=10,
                null=True,
                verbose_name="received",
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="received_currency",
            field=models.CharField(
                blank=True, editable=False, max_length=3, verbose_name="currency received"
            ),
        ),
    ]

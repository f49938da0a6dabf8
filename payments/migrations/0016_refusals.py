from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep why Stripe refused to make a page."""

    dependencies = [("payments", "0015_findings")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="refusal",
            field=models.CharField(
                blank=True,
                editable=False,
                max_length=500,
                verbose_name="why Stripe refused the page",
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="refused_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="refused at"
            ),
        ),
    ]

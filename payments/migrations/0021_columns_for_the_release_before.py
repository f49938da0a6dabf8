from decimal import Decimal

from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the release before write rows without the columns that it does not know; a look at events
    is of one mode and account."""

    dependencies = [
        ("payments", "0020_facts_not_understood"),
    ]

    operations = [
        migrations.AddField(
            model_name="stripelook",
            name="account_id",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=255,
                verbose_name="account at Stripe",
            ),
        ),
        migrations.AddField(
            model_name="stripelook",
            name="livemode",
            field=models.BooleanField(editable=False, null=True, verbose_name="live mode"),
        ),
        migrations.AlterField(
            model_name="payment",
            name="account_id",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=255,
                verbose_name="account at Stripe",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="received_currency",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=3,
                verbose_name="currency received",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="refunded_amount",
            field=models.DecimalField(
                db_default=0,
                decimal_places=2,
                default=Decimal(0),
                editable=False,
                max_digits=10,
                verbose_name="refunded",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="refusal",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=500,
                verbose_name="why Stripe refused the page",
            ),
        ),
        migrations.AlterField(
            model_name="stripeevent",
            name="intent_id",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=255
            ),
        ),
        migrations.AlterField(
            model_name="stripeprice",
            name="account_id",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=255,
                verbose_name="account at Stripe",
            ),
        ),
    ]

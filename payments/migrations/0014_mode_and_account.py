from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def note_modes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The id of a session begins with its mode; of prices it is unknown."""
    payments = apps.get_model("payments", "Payment").objects
    for prefix, livemode in (("cs_live_", True), ("cs_test_", False)):
        payments.filter(session_id__startswith=prefix).update(livemode=livemode)


class Migration(migrations.Migration):
    """Keep in which mode of which account at Stripe something was made."""

    dependencies = [("payments", "0013_buyer_cancels")]

    operations = [
        *(
            migrations.AddField(
                model_name=model,
                name="account_id",
                field=models.CharField(
                    blank=True,
                    editable=False,
                    max_length=255,
                    verbose_name="account at Stripe",
                ),
            )
            for model in ("payment", "stripeprice")
        ),
        *(
            migrations.AddField(
                model_name=model,
                name="livemode",
                field=models.BooleanField(editable=False, null=True, verbose_name="live mode"),
            )
            for model in ("payment", "stripeprice")
        ),
        migrations.RunPython(note_modes, migrations.RunPython.noop),
    ]

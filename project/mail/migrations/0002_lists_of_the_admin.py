import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from project.common.db.search_index import CreateSearchIndex


class Migration(migrations.Migration):
    """Let the ledger be read in the admin: by status, by kind, by title."""

    dependencies = [
        ("mail", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="mailing",
            name="mailing_listing",
        ),
        migrations.AddField(
            model_name="mailing",
            name="title",
            field=models.CharField(blank=True, max_length=200, verbose_name="title"),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="mailing",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="mail.mailing",
                verbose_name="mailing",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["mailing", "status"], name="delivery_by_status"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status__in", ["refused", "parked", "skipped"])),
                fields=["status", "id"],
                name="delivery_not_sent",
            ),
        ),
        migrations.AddIndex(
            model_name="mailing",
            index=models.Index(
                condition=models.Q(("state__in", ["listing", "parked"])),
                fields=["state", "id"],
                name="mailing_unlisted",
            ),
        ),
        migrations.AddIndex(
            model_name="mailing",
            index=models.Index(fields=["kind", "id"], name="mailing_kind"),
        ),
        CreateSearchIndex("mailing", ["title"], "mailing_search"),
    ]

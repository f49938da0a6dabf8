from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the staff's list of rights be read by each filter."""

    dependencies = [
        ("lms", "0005_search_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="access",
            index=models.Index(fields=["source", "-id"], name="access_source"),
        ),
        migrations.AddIndex(
            model_name="access",
            index=models.Index(
                condition=models.Q(("revoked_at__isnull", False)),
                fields=["id"],
                name="access_revoked",
            ),
        ),
        migrations.AddIndex(
            model_name="access",
            index=models.Index(fields=["created_at", "id"], name="access_created"),
        ),
    ]

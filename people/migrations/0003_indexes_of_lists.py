from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the staff's list of people be read in each of its orders, and rare states be found."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("people", "0002_inactivity_warning"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["last_login", "id"], name="user_last_login"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["date_joined", "id"], name="user_joined"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("is_active", False)), fields=["id"], name="user_blocked"
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("blocked_reason", ""), _negated=True),
                fields=["blocked_reason", "id"],
                name="user_blocked_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("is_staff", True)), fields=["id"], name="user_staff"
            ),
        ),
    ]

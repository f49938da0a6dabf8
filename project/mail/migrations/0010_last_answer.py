from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mail", "0009_answers_to_letters")]

    operations = [
        migrations.AddField(
            model_name="mailserver",
            name="answered_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="last took an email"),
        ),
    ]

from django.conf import settings
from django.db import migrations, models

import people.models.choices


def speak_as_the_school(apps, schema_editor):
    """Accounts that `csu` made had English, whatever the school speaks, and the admin did not ask."""
    people = apps.get_model("people", "User").objects.using(schema_editor.connection.alias)
    people.filter(is_superuser=True, language="en").update(language=settings.LANGUAGE_CODE)


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0022_order_by_name"),
    ]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="language",
            field=models.CharField(
                choices=[("en", "English"), ("ru", "Russian")],
                default=people.models.choices.usual_language,
                max_length=2,
                verbose_name="language",
            ),
        ),
        migrations.RunPython(speak_as_the_school, migrations.RunPython.noop),
    ]

from uuid import uuid4

from django.db import migrations, models
from django.db.models.functions import UUID4


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0006_listed"),
    ]

    operations = [
        # Filled by the database: a default of Python would be computed once, for all rows.
        migrations.AddField(
            model_name="user",
            name="identity",
            field=models.UUIDField(db_default=UUID4(), editable=False),
        ),
        migrations.AlterField(
            model_name="user",
            name="identity",
            field=models.UUIDField(db_default=UUID4(), default=uuid4, editable=False, unique=True),
        ),
    ]

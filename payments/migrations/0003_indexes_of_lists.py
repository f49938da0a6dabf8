import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Let the book be read in each order and by each filter, and drop what others begin with."""

    dependencies = [
        ("lms", "0004_indexes_of_lists"),
        ("payments", "0002_staff_list_and_rights"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="payment",
            name="course",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="lms.course",
                verbose_name="course",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="lesson",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="lms.lesson",
                verbose_name="lesson",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="payer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to=settings.AUTH_USER_MODEL,
                verbose_name="payer",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                models.ExpressionWrapper(
                    models.Q(("paid_at", None)), output_field=models.BooleanField()
                ),
                models.OrderBy(models.F("paid_at")),
                models.OrderBy(models.F("id")),
                name="payment_paid_earliest",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                models.F("course"),
                models.ExpressionWrapper(
                    models.Q(("paid_at", None)), output_field=models.BooleanField()
                ),
                models.OrderBy(models.F("paid_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="payment_course_paid",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                models.F("lesson"),
                models.ExpressionWrapper(
                    models.Q(("paid_at", None)), output_field=models.BooleanField()
                ),
                models.OrderBy(models.F("paid_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="payment_lesson_paid",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                models.F("status"),
                models.ExpressionWrapper(
                    models.Q(("paid_at", None)), output_field=models.BooleanField()
                ),
                models.OrderBy(models.F("paid_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="payment_status_paid",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                models.F("status"),
                models.ExpressionWrapper(
                    models.Q(("paid_at", None)), output_field=models.BooleanField()
                ),
                models.OrderBy(models.F("paid_at")),
                models.OrderBy(models.F("id")),
                name="payment_status_earliest",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["amount", "id"], name="payment_amount"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                fields=["method", "-created_at", "-id"], name="payment_method_created"
            ),
        ),
    ]

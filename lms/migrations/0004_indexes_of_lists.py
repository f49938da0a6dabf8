import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Let each list be read in each of its orders, and drop indexes that others begin with."""

    dependencies = [
        ("lms", "0003_history"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="completion",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="completions",
                to=settings.AUTH_USER_MODEL,
                verbose_name="learner",
            ),
        ),
        migrations.AlterField(
            model_name="course",
            name="owner",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="courses",
                to=settings.AUTH_USER_MODEL,
                verbose_name="author",
            ),
        ),
        migrations.AlterField(
            model_name="courseupdate",
            name="course",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="updates",
                to="lms.course",
                verbose_name="course",
            ),
        ),
        migrations.AlterField(
            model_name="lesson",
            name="course",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="lessons",
                to="lms.course",
                verbose_name="course",
            ),
        ),
        migrations.AlterField(
            model_name="subscription",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="subscriptions",
                to=settings.AUTH_USER_MODEL,
                verbose_name="subscriber",
            ),
        ),
        migrations.AddIndex(
            model_name="course",
            index=models.Index(
                models.F("is_published"),
                models.OrderBy(models.F("updated_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="course_published_updated",
            ),
        ),
        migrations.AddIndex(
            model_name="course",
            index=models.Index(fields=["title", "id"], name="course_title"),
        ),
        migrations.AddIndex(
            model_name="course",
            index=models.Index(fields=["created_at", "id"], name="course_created"),
        ),
        migrations.AddIndex(
            model_name="course",
            index=models.Index(fields=["price", "id"], name="course_price"),
        ),
        migrations.AddIndex(
            model_name="lesson",
            index=models.Index(fields=["-updated_at", "-id"], name="lesson_updated"),
        ),
        migrations.AddIndex(
            model_name="lesson",
            index=models.Index(
                fields=["is_preview", "-updated_at", "-id"], name="lesson_preview_updated"
            ),
        ),
        migrations.AddIndex(
            model_name="lesson",
            index=models.Index(fields=["title", "id"], name="lesson_title"),
        ),
        migrations.AddIndex(
            model_name="lesson",
            index=models.Index(fields=["price", "id"], name="lesson_price"),
        ),
    ]

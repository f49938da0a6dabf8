import django.db.models.deletion
import django.utils.timezone
import uuid
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep refunds and disputes as rows of their own, and let buyers cancel."""

    dependencies = [
        ("lms", "0006_indexes_of_accesses"),
        ("payments", "0008_notes_by_code"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "dispute_id",
                    models.CharField(
                        editable=False, max_length=255, verbose_name="dispute at Stripe"
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(decimal_places=2, max_digits=10, verbose_name="amount"),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("reason", models.CharField(max_length=100, verbose_name="reason")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("warning_needs_response", "inquiry, needs an answer"),
                            ("warning_under_review", "inquiry, under review"),
                            ("warning_closed", "inquiry, closed"),
                            ("needs_response", "needs an answer"),
                            ("under_review", "under review"),
                            ("prevented", "prevented"),
                            ("won", "won"),
                            ("lost", "lost"),
                        ],
                        max_length=22,
                        verbose_name="status",
                    ),
                ),
                (
                    "evidence_due_by",
                    models.DateTimeField(blank=True, null=True, verbose_name="evidence due by"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="opened at"
                    ),
                ),
                (
                    "told_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="told at"
                    ),
                ),
            ],
            options={
                "verbose_name": "dispute",
                "verbose_name_plural": "disputes",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(decimal_places=2, max_digits=10, verbose_name="amount"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("requested", "requested"),
                            ("succeeded", "succeeded"),
                            ("failed", "failed"),
                        ],
                        default="requested",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                (
                    "ends_access",
                    models.BooleanField(
                        default=False,
                        help_text="A refund of the whole amount always does.",
                        verbose_name="ends the access",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False)),
                (
                    "refund_id",
                    models.CharField(
                        blank=True, editable=False, max_length=255, verbose_name="refund at Stripe"
                    ),
                ),
                (
                    "failure",
                    models.CharField(
                        blank=True, editable=False, max_length=100, verbose_name="why it failed"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="requested at"
                    ),
                ),
                (
                    "settled_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="settled at"),
                ),
            ],
            options={
                "verbose_name": "refund",
                "verbose_name_plural": "refunds",
                "ordering": ("id",),
            },
        ),
        migrations.RemoveConstraint(
            model_name="payment",
            name="payment_status_is_known",
        ),
        migrations.AddField(
            model_name="payment",
            name="refunded_amount",
            field=models.DecimalField(
                decimal_places=2,
                default=Decimal(0),
                editable=False,
                max_digits=10,
                verbose_name="refunded",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "pending"),
                    ("processing", "processing"),
                    ("paid", "paid"),
                    ("failed", "failed"),
                    ("expired", "expired"),
                    ("cancelled", "cancelled"),
                    ("refunded", "refunded"),
                ],
                default="pending",
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.AlterField(
            model_name="paymentmove",
            name="from_status",
            field=models.CharField(
                choices=[
                    ("pending", "pending"),
                    ("processing", "processing"),
                    ("paid", "paid"),
                    ("failed", "failed"),
                    ("expired", "expired"),
                    ("cancelled", "cancelled"),
                    ("refunded", "refunded"),
                ],
                max_length=10,
                verbose_name="from",
            ),
        ),
        migrations.AlterField(
            model_name="paymentmove",
            name="to_status",
            field=models.CharField(
                choices=[
                    ("pending", "pending"),
                    ("processing", "processing"),
                    ("paid", "paid"),
                    ("failed", "failed"),
                    ("expired", "expired"),
                    ("cancelled", "cancelled"),
                    ("refunded", "refunded"),
                ],
                max_length=10,
                verbose_name="to",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "pending",
                            "processing",
                            "paid",
                            "failed",
                            "expired",
                            "cancelled",
                            "refunded",
                        ],
                    )
                ),
                name="payment_status_is_known",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="disputes",
                to="payments.payment",
                verbose_name="payment",
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="by",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty if it was made in Stripe's dashboard, or imported.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="by",
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="payment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="refunds",
                to="payments.payment",
                verbose_name="payment",
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(fields=["status", "evidence_due_by"], name="dispute_to_answer"),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "warning_needs_response",
                            "warning_under_review",
                            "warning_closed",
                            "needs_response",
                            "under_review",
                            "prevented",
                            "won",
                            "lost",
                        ],
                    )
                ),
                name="dispute_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(fields=("dispute_id",), name="dispute_id_unique"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="refund_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["requested", "succeeded", "failed"])),
                name="refund_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at", None), ("status", "requested")),
                    models.Q(
                        models.Q(("status", "requested"), _negated=True),
                        ("settled_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="refund_settled_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(fields=("token",), name="refund_token_unique"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("refund_id", ""), _negated=True),
                fields=("refund_id",),
                name="refund_id_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("refund_id", ""), ("status", "requested")),
                fields=("payment",),
                name="refund_one_unanswered",
            ),
        ),
    ]

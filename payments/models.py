"""The payments book: who paid, for what, how much and how."""

from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PaymentMethod(models.TextChoices):
    CASH = "cash", _("cash")
    TRANSFER = "transfer", _("transfer")
    STRIPE = "stripe", _("Stripe")


class PaymentStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    PROCESSING = "processing", _("processing")
    PAID = "paid", _("paid")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("expired")
    REFUNDED = "refunded", _("refunded")


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, user: Any) -> Self:
        """Payments this person may see through the API: their own; administrators: all."""
        if isinstance(user, AnonymousUser):
            return self.none()
        return self if user.is_superuser else self.filter(payer=user)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")


class Payment(models.Model):
    """A payment of one person for one course or one lesson.

    `title`, `amount` and `currency` are the ones at the time of purchase.
    """

    payer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="payments",
        verbose_name=_("payer"),
    )
    course = models.ForeignKey(
        "lms.Course",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("course"),
    )
    lesson = models.ForeignKey(
        "lms.Lesson",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("lesson"),
    )
    title = models.CharField(_("title"), max_length=200)
    amount = models.DecimalField(
        _("amount"), max_digits=10, decimal_places=2, validators=[MinValueValidator(0)]
    )
    currency = models.CharField(
        _("currency"), max_length=3, validators=[RegexValidator(r"^[A-Z]{3}$")]
    )
    method = models.CharField(_("method"), max_length=8, choices=PaymentMethod)
    status = models.CharField(
        _("status"), max_length=10, choices=PaymentStatus, default=PaymentStatus.PENDING
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    external_id = models.CharField(  # noqa: DJ001
        _("external id"),
        max_length=100,
        null=True,
        blank=True,
        help_text=_("The number of this payment in the books it was imported from."),
    )

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(
                condition=Q(course__isnull=False, lesson=None)
                | Q(course=None, lesson__isnull=False),
                name="payment_has_one_target",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="payment_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="payment_currency_is_a_code"
            ),
            models.CheckConstraint(
                condition=Q(method__in=PaymentMethod.values), name="payment_method_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=PaymentStatus.values), name="payment_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["paid", "refunded"], paid_at__isnull=False)
                | (~Q(status__in=["paid", "refunded"]) & Q(paid_at=None)),
                name="payment_paid_has_time",
            ),
            models.UniqueConstraint(fields=["external_id"], name="payment_external_id_unique"),
        ]
        indexes = [
            models.Index(F("paid_at").desc(), F("id").desc(), name="payment_paid"),
            models.Index(
                F("payer"), F("paid_at").desc(), F("id").desc(), name="payment_payer_paid"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.amount} {self.currency}"

    @property
    def payment_url(self) -> str | None:
        """Where to send the buyer. None: cash and transfers happen outside of this system."""
        return None

"""The payments book: who paid, for what, how much and how."""

from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Course, Lesson


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


# Sorting by this first puts what is not paid last; a column's own NULLS LAST can't be indexed on
# SQLite.
IS_UNPAID = models.ExpressionWrapper(Q(paid_at=None), output_field=models.BooleanField())


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, user: Any) -> Self:
        """Payments this person may see through the API: their own; administrators: all."""
        if isinstance(user, AnonymousUser):
            return self.none()
        return self if user.is_superuser else self.filter(payer=user)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def in_order(self, ordering: str) -> Self:
        """Order by `paid_at` or `amount`, with `-` for descending. What is not paid comes last
        either way; ties are broken by id."""
        unpaid_last = [IS_UNPAID] if ordering.endswith("paid_at") else []
        direction = "-" if ordering.startswith("-") else ""
        return self.order_by(*unpaid_last, ordering, f"{direction}id")

    def pending_like(self, offer: "Payment") -> Self:
        """Payments that wait, by the same person for the same thing, price and method."""
        return self.filter(
            payer=offer.payer,
            course=offer.course,
            lesson=offer.lesson,
            amount=offer.amount,
            currency=offer.currency,
            method=offer.method,
            status=PaymentStatus.PENDING,
        )

    def paying_for(self, target: Course | Lesson) -> Self:
        """Payments that paid for it: a paid course covers its lessons."""
        paid = self.filter(status=PaymentStatus.PAID)
        if isinstance(target, Course):
            return paid.filter(course=target)
        return paid.filter(Q(lesson=target) | Q(course=target.course_id))

    def get_by_natural_key(self, external_id: str) -> "Payment":
        return self.get(external_id=external_id)


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
        Course,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("course"),
    )
    lesson = models.ForeignKey(
        Lesson,
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
            models.Index(IS_UNPAID, F("paid_at").desc(), F("id").desc(), name="payment_paid"),
            models.Index(
                F("payer"),
                IS_UNPAID,
                F("paid_at").desc(),
                F("id").desc(),
                name="payment_payer_paid",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.amount} {self.currency}"

    def natural_key(self) -> tuple[str, ...]:
        """What names this payment in a fixture; nothing for one that was not imported."""
        return (self.external_id,) if self.external_id else ()

    @property
    def payment_url(self) -> str | None:
        """Where to send the buyer. None: cash and transfers happen outside of this system."""
        return None


class IdempotencyKey(models.Model):
    """What a client named one request for a payment, so that a repeat gets the first answer.

    Which course or lesson and method were asked for is what the payment says.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    payment = models.ForeignKey(Payment, models.CASCADE, related_name="+")
    created_payment = models.BooleanField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_unique"),
        ]

    def __str__(self) -> str:
        return self.key

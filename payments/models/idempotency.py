"""Requests that clients may repeat."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models.payment import Payment


class IdempotencyKey(models.Model):
    """What a client named one request for a payment, so that a repeat gets the first answer.

    Which course or lesson and method were asked for is what the payment says.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    payment = models.ForeignKey(Payment, models.CASCADE, related_name="+")
    created_payment = models.BooleanField()
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_unique"),
        ]

    def __str__(self) -> str:
        return self.key

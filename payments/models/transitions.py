"""What became of a payment, step by step."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models.payment import Payment
from payments.models.states import PaymentStatus


class MoveSource(models.TextChoices):
    """Who or what knew."""

    WEBHOOK = "webhook", _("event from Stripe")
    STATUS = "status", _("buyer asked for the status")
    RECONCILIATION = "reconcile", _("reconciliation")
    STAFF = "staff", _("staff")
    RECORD = "record", _("recorded by staff")
    IMPORT = "import", _("import")
    CHECKOUT = "checkout", _("new purchase")
    BUYER = "buyer", _("buyer")


class PaymentMove(models.Model):
    """One step of a payment: from where to where, who or what moved it, and why."""

    payment = models.ForeignKey(
        Payment, models.CASCADE, related_name="moves", verbose_name=_("payment")
    )
    from_status = models.CharField(_("from"), max_length=10, choices=PaymentStatus)
    to_status = models.CharField(_("to"), max_length=10, choices=PaymentStatus)
    source = models.CharField(_("source"), max_length=10, choices=MoveSource)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    is_reason_told = models.BooleanField(
        _("reason told"), default=False, db_default=False, editable=False
    )
    created_at = models.DateTimeField(_("at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("step of a payment")
        verbose_name_plural = _("steps of payments")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_from_status_display()} → {self.get_to_status_display()}"

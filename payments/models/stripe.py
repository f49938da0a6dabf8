"""What is kept of Stripe: what was created there, and what it told us."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Course, Lesson
from payments.models.accounts import MadeAtStripe
from payments.models.payment import Payment
from project.common.money import DECIMAL_PLACES, MAX_DIGITS, shown


class StripePrice(MadeAtStripe):
    """A Product with its Price at Stripe, reused while title, amount and currency match, in its
    mode of its account. A price never changes there: another amount is another row."""

    course = models.ForeignKey(Course, models.CASCADE, null=True, related_name="+")
    lesson = models.ForeignKey(Lesson, models.CASCADE, null=True, related_name="+")
    title = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    currency = models.CharField(max_length=3)
    product_id = models.CharField(max_length=255)
    price_id = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("price at Stripe")
        verbose_name_plural = _("prices at Stripe")
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=Q(course__isnull=False, lesson=None)
                | Q(course=None, lesson__isnull=False),
                name="stripe_price_has_one_target",
            ),
            models.UniqueConstraint(fields=["price_id"], name="stripe_price_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {shown(self.amount, self.currency)}"


class StripeLook(MadeAtStripe):
    """A look at the list of events of one mode of one account that came to its end: what no webhook
    told is applied."""

    started_at = models.DateTimeField(_("started at"))
    events = models.PositiveIntegerField(_("events"), default=0)
    missed = models.PositiveIntegerField(_("of these not told by the webhook"), default=0)

    class Meta:
        verbose_name = _("look at Stripe's events")
        verbose_name_plural = _("looks at Stripe's events")
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return str(self.started_at)


class StripeEvent(models.Model):
    """An event that Stripe sent and that was dealt with; the same one is not dealt with twice."""

    event_id = models.CharField(_("event"), max_length=255)
    type = models.CharField(_("type"), max_length=100)
    payment = models.ForeignKey(
        Payment,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="events",
        verbose_name=_("payment"),
    )
    outcome = models.CharField(_("outcome"), max_length=200)
    # Of an event about no payment of ours: it may turn out to be one whose intent we don't know yet.
    intent_id = models.CharField(
        max_length=255, blank=True, editable=False, default="", db_default=""
    )
    happened_at = models.DateTimeField(_("happened at"))
    received_at = models.DateTimeField(_("received at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("event from Stripe")
        verbose_name_plural = _("events from Stripe")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["event_id"], name="stripe_event_unique"),
        ]
        indexes = [
            # The staff's list: of one type, or of some days.
            models.Index(fields=["type", "-id"], name="stripe_event_type"),
            models.Index(fields=["received_at"], name="stripe_event_received"),
            models.Index(
                fields=["intent_id"], name="stripe_event_intent", condition=~Q(intent_id="")
            ),
        ]

    def __str__(self) -> str:
        return self.type

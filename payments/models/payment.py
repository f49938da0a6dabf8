"""The payments book: who paid, for what, how much and how."""

import uuid
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from lms.models import Access, AccessSource, Course, Lesson
from lms.models.access import AccessQuerySet
from lms.models.visibility import protect_or_set_null
from payments.models.accounts import MadeAtStripe
from payments.models.disputes import DisputeStatus
from payments.models.findings import FindingKind
from payments.models.querysets import EARLIEST_PAID, LATEST_PAID, PaymentQuerySet
from payments.models.states import (
    MOVES,
    MOVES_BACK,
    PREFIX,
    PaymentMethod,
    PaymentStatus,
)
from project.common.db.derived import DerivedModel
from project.common.db.searched import SearchedField
from project.common.money import DECIMAL_PLACES, MAX_DIGITS, shown
from project.common.texts import validate_one_line
from project.school.current import current_school


class Payment(MadeAtStripe, DerivedModel):
    """A payment of one person for one course or one lesson.

    `title`, `amount` and `currency` are the ones at the time of purchase. An order that came to
    nothing keeps them when what it was for is deleted.
    """

    # Indexes of these three: payment_payer_paid and its like, which begin with them.
    payer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        db_index=False,
        related_name="payments",
        verbose_name=_("payer"),
    )
    course = models.ForeignKey(
        Course,
        protect_or_set_null,
        db_index=False,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("course"),
    )
    lesson = models.ForeignKey(
        Lesson,
        protect_or_set_null,
        db_index=False,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("lesson"),
    )
    title = models.CharField(_("title"), max_length=200)
    searched = SearchedField(of=["title"])
    amount = models.DecimalField(
        _("amount"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        validators=[MinValueValidator(0)],
    )
    refunded_amount = models.DecimalField(
        _("refunded"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        default=Decimal(0),
        db_default=0,
        editable=False,
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
    bank_reference = models.CharField(
        _("bank reference"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        validators=[validate_one_line],
        help_text=_("What the bank calls the transfer. Only staff see it."),
    )

    # The Checkout Session at Stripe. `token` names the payment there for ever, also when this
    # database is made anew; `attempt` goes up when Stripe answers a key with an old failure.
    token = models.UUIDField(default=uuid.uuid4, editable=False)
    attempt = models.PositiveSmallIntegerField(default=1, editable=False)
    session_id = models.CharField(
        _("session at Stripe"), max_length=255, blank=True, editable=False
    )
    session_url = models.TextField(blank=True, editable=False)
    session_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    payment_intent_id = models.CharField(max_length=255, blank=True, editable=False)
    checked_at = models.DateTimeField(_("asked Stripe at"), null=True, blank=True, editable=False)
    # What came if it was another sum than was asked for: staff accept it or give it back.
    received_amount = models.DecimalField(
        _("received"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
        editable=False,
    )
    received_currency = models.CharField(
        _("currency received"), max_length=3, blank=True, editable=False, default="", db_default=""
    )
    # Why Stripe made no page, in its own words.
    refusal = models.CharField(
        _("why Stripe refused the page"),
        max_length=500,
        blank=True,
        editable=False,
        default="",
        db_default="",
    )
    refused_at = models.DateTimeField(_("refused at"), null=True, blank=True, editable=False)

    # Answered by `processing_too_long`.
    moved_at: datetime

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-created_at", "-id")
        # Beside Django's own: who may see the book may not yet decide about money.
        permissions = [
            ("confirm_payment", gettext_noop("confirm and reject")),
            ("refund_payment", gettext_noop("refund")),
        ]
        constraints = [
            # None only once it was deleted, and nobody can order that any more. Money may still be
            # told of: late, or when a refund of it fails.
            models.CheckConstraint(
                condition=Q(course__isnull=False, lesson=None)
                | Q(course=None, lesson__isnull=False)
                | Q(course=None, lesson=None) & ~Q(status="pending"),
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
            # All of it was given back, a part, or nothing.
            models.CheckConstraint(
                condition=Q(status="refunded", refunded_amount=F("amount"))
                | Q(status="paid", refunded_amount__gte=0, refunded_amount__lt=F("amount"))
                | (~Q(status="refunded") & Q(refunded_amount=0)),
                name="payment_refunded_is_within_amount",
            ),
            models.UniqueConstraint(fields=["external_id"], name="payment_external_id_unique"),
            models.UniqueConstraint(fields=["token"], name="payment_token_unique"),
            models.UniqueConstraint(
                fields=["session_id"], condition=~Q(session_id=""), name="payment_session_unique"
            ),
            models.UniqueConstraint(
                fields=["payment_intent_id"],
                condition=~Q(payment_intent_id=""),
                name="payment_intent_unique",
            ),
            models.UniqueConstraint(
                fields=["payer", "course"],
                condition=Q(method="stripe", status__in=["pending", "processing"]),
                name="payment_one_open_for_course",
            ),
            models.UniqueConstraint(
                fields=["payer", "lesson"],
                condition=Q(method="stripe", status__in=["pending", "processing"]),
                name="payment_one_open_for_lesson",
            ),
        ]
        indexes = [
            models.Index(*LATEST_PAID, name="payment_paid"),
            models.Index(*EARLIEST_PAID, name="payment_paid_earliest"),
            # From one day to another: PostgreSQL does not see that IS_UNPAID is false there.
            models.Index(
                fields=["paid_at"], name="payment_paid_at", condition=Q(paid_at__isnull=False)
            ),
            models.Index(F("payer"), *LATEST_PAID, name="payment_payer_paid"),
            models.Index(F("course"), *LATEST_PAID, name="payment_course_paid"),
            models.Index(F("lesson"), *LATEST_PAID, name="payment_lesson_paid"),
            # What is not paid comes last: without these it is found behind all that is.
            models.Index(F("status"), *LATEST_PAID, name="payment_status_paid"),
            models.Index(F("status"), *EARLIEST_PAID, name="payment_status_earliest"),
            models.Index(fields=["amount", "id"], name="payment_amount"),
            # The staff's list: newest first, all of them or those in one state or of one method.
            models.Index(fields=["-created_at", "-id"], name="payment_created"),
            models.Index(fields=["status", "-created_at", "-id"], name="payment_status_created"),
            models.Index(fields=["method", "-created_at", "-id"], name="payment_method_created"),
            # Staff look for a line of the bank's statement.
            models.Index(
                fields=["bank_reference"],
                name="payment_bank_reference",
                condition=~Q(bank_reference=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}, {self.shown_amount}"

    def natural_key(self) -> tuple[str, ...]:
        """What names this payment in a fixture; nothing for one that was not imported."""
        return (self.external_id,) if self.external_id else ()

    @property
    def payment_url(self) -> str | None:
        """Where to send the buyer; None where there is nothing to open, or not any more."""
        is_open = may_be_opened(self.status, self.session_url, self.session_expires_at)
        return self.session_url if is_open else None

    @property
    def instructions(self) -> str | None:
        """What the school says about paying an order that waits for cash or a transfer."""
        return instructions_for(self.method, self.status)

    @property
    def receipt_url(self) -> str | None:
        """Where the receipt is; None for what is not paid."""
        return receipt_address(self.status, self.token)

    @cached_property
    def is_disputed(self) -> bool:
        """The buyer's bank calls it into question, or has taken the money back."""
        return self.paid_at is not None and self.disputes.standing().exists()

    @cached_property
    def lost_amount(self) -> Decimal:
        """What the buyer's bank has taken back."""
        if not self.is_disputed:
            return Decimal(0)
        lost = self.disputes.filter(status=DisputeStatus.LOST)
        return sum(lost.values_list("amount", flat=True), Decimal(0))

    @property
    def is_half_made(self) -> bool:
        """The row is there and its session at Stripe is not (the same as HALF_MADE)."""
        is_pending = self.status == PaymentStatus.PENDING
        return self.method == PaymentMethod.STRIPE and is_pending and not self.session_id

    @property
    def shown_amount(self) -> str:
        return shown(self.amount, self.currency)

    @property
    def shown_asked(self) -> str:
        """What was asked for, also where staff accepted another sum."""
        if self.received_amount is not None:
            found = self.findings.filter(kind=FindingKind.AMOUNT_DIFFERS).order_by("pk")
            for params in found.values_list("params", flat=True)[:1]:
                return shown(Decimal(params["ours"][0]), params["ours"][1])
        return self.shown_amount

    @property
    def shown_left(self) -> str:
        """What is left of it after refunds and lost disputes."""
        return shown(self.left_amount - self.lost_amount, self.currency)

    @property
    def shown_received(self) -> str:
        """What came, where it is another sum."""
        return shown(self.received_amount or Decimal(0), self.received_currency)

    @property
    def awaits_decision(self) -> bool:
        """Another sum came than was asked for, and staff have not decided what becomes of it."""
        return self.received_amount is not None and self.can_move(PaymentStatus.PAID)

    @property
    def taken(self) -> tuple[Decimal, str]:
        """The sum that was taken from the buyer, as far as we have heard of it, and its currency."""
        if not self.awaits_decision:
            return self.amount, self.currency
        assert self.received_amount is not None  # noqa: S101 - `awaits_decision`
        return self.received_amount, self.received_currency

    def book_received(self) -> None:
        """Let the sum be the one that came."""
        assert self.received_amount is not None  # noqa: S101 - `awaits_decision`
        self.amount, self.currency = self.received_amount, self.received_currency
        self.save(update_fields=["amount", "currency"])

    @property
    def left_amount(self) -> Decimal:
        """What was not given back yet."""
        return self.amount - self.refunded_amount

    def can_move(self, to: PaymentStatus) -> bool:
        """Say whether a fact may move it there; `refunded` it is when nothing is left of it."""
        is_whole = to == PaymentStatus.REFUNDED and self.left_amount > 0
        return to in MOVES[self.status] and not is_whole

    def can_move_back(self, to: PaymentStatus) -> bool:
        return MOVES_BACK.get(PaymentStatus(self.status)) == to

    @property
    def target(self) -> Course | Lesson | None:
        """What is paid for; None if it was deleted since."""
        return self.course or self.lesson

    @property
    def has_target(self) -> bool:
        return self.course_id is not None or self.lesson_id is not None

    def accesses_about(self) -> AccessQuerySet:
        """What this payment gave, and what staff gave its payer besides for the same thing."""
        besides = Q(
            user=self.payer_id,
            course=self.course_id,
            lesson=self.lesson_id,
            source=AccessSource.GRANT,
        )
        return Access.objects.filter(Q(reference=self.reference) | besides)

    @property
    def reference(self) -> str:
        """What the access that this payment gives is known by (`Access.reference`)."""
        return reference_of(self.pk)


def may_be_opened(status: str, session_url: str, expires_at: datetime | None) -> bool:
    """Say whether one can go to Stripe's page of such a payment now."""
    is_closed = expires_at is None or expires_at <= timezone.now()
    return status == PaymentStatus.PENDING and bool(session_url) and not is_closed


def instructions_for(method: str, status: str) -> str | None:
    """What the school says about paying so; None where there is nothing to pay, or where Stripe's
    page says it all."""
    if status != PaymentStatus.PENDING or method == PaymentMethod.STRIPE:
        return None
    school = current_school()
    is_cash = method == PaymentMethod.CASH
    return (school.cash_instructions.strip() if is_cash else school.how_to_transfer) or None


def receipt_address(status: str, token: uuid.UUID) -> str | None:
    """The page that shows what was paid and given back; its address is known to the buyer only."""
    if status not in {PaymentStatus.PAID, PaymentStatus.REFUNDED}:
        return None
    return f"{settings.SITE_URL}{reverse('payments:receipt', args=[token])}"


def reference_of(payment_id: int) -> str:
    return f"{PREFIX}{payment_id}"

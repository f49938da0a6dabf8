"""Which payments there are to look at: by whom, for what, and why."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Concat, Round
from django.utils import timezone

from lms.models import Access, Course, Lesson
from lms.models.visibility import KeepingQuerySet
from payments.models.disputes import Dispute, DisputeStatus
from payments.models.ledger import EntryKind, LedgerEntry
from payments.models.refunds import Refund
from payments.models.states import (
    HALF_MADE,
    OFFLINE_OPEN_AT_MOST,
    OPEN_STATUSES,
    PAID_STATUSES,
    PREFIX,
    PROCESSING_AT_MOST,
    STRIPE_OPEN_AT_MOST,
    PaymentMethod,
    PaymentStatus,
)
from people.models import User
from people.models.querysets import NAME_SEARCHES
from project.common.db.search import Owners, contains, find
from project.common.db.sums import ExactSum, read_in_order
from project.common.money import DECIMAL_PLACES, TOO_LARGE, read_amount

if TYPE_CHECKING:
    from payments.models.payment import Payment

# Sorting by this first puts what is not paid last; a column's own NULLS LAST can't be indexed on
# SQLite.
IS_UNPAID = models.ExpressionWrapper(Q(paid_at=None), output_field=models.BooleanField())
LATEST_PAID = (IS_UNPAID, F("paid_at").desc(), F("id").desc())
EARLIEST_PAID = (IS_UNPAID, F("paid_at").asc(), F("id").asc())
# A number that can't be taken for an amount.
NUMBER = re.compile(r"[#№]\s*([0-9]{1,18})")

NOTHING = Value(Decimal(0), models.DecimalField())


def _sum_of(rows: models.QuerySet[Any]) -> Coalesce:
    """What those of them that belong to a payment add up to: by the index of its own, where a join would
    read all of the ledger for each part of the book."""
    summed = (
        rows.filter(payment=OuterRef("pk")).order_by().values("payment").annotate(Sum("amount"))
    )
    return Coalesce(Subquery(summed.values("amount__sum")), NOTHING)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What payments in one currency come to. Money that came and went back has come all the same:
    `net` is what is left of it."""

    currency: str
    number: int
    paid_number: int
    paid: Decimal
    refunded: Decimal
    lost: Decimal
    open_number: int
    open: Decimal

    @property
    def net(self) -> Decimal:
        return self.paid - self.refunded - self.lost


IS_PAID, IS_OPEN = Q(status__in=PAID_STATUSES), Q(status__in=OPEN_STATUSES)
TOTALS = {
    "number": Count("pk"),
    "paid_number": Count("pk", filter=IS_PAID),
    "paid": Coalesce(ExactSum("amount", filter=IS_PAID), Decimal(0)),
    "refunded": Coalesce(ExactSum("refunded_amount"), Decimal(0)),
    "open_number": Count("pk", filter=IS_OPEN),
    "open": Coalesce(ExactSum("amount", filter=IS_OPEN), Decimal(0)),
}


class PaymentQuerySet(KeepingQuerySet["Payment"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Payments this person may see through the API: their own; administrators: all."""
        if isinstance(user, AnonymousUser):
            return self.none()
        whole = self.whole()
        return whole if user.is_superuser else whole.filter(payer=user)

    def keeping(self) -> Self:
        """Payments that are paid or may be soon; an order that came to nothing keeps nothing
        (docs/rules.md, 6.8)."""
        return self.filter(status__in=(*OPEN_STATUSES, PaymentStatus.PAID))

    def whole(self) -> Self:
        """Leave out payments whose session at Stripe is not made yet."""
        return self.exclude(HALF_MADE)

    def shown_to_staff(self) -> Self:
        """The same, and those for which Stripe refused to make one."""
        return self.exclude(HALF_MADE, refused_at=None)

    def open_at_stripe(self) -> Self:
        """Payments that a buyer may still be about to make at Stripe."""
        return self.filter(method=PaymentMethod.STRIPE, status__in=OPEN_STATUSES)

    def to_reconcile(self, *, created_before: datetime) -> Self:
        """Payments open at Stripe for too long, those first that were asked about longest ago."""
        overdue = self.open_at_stripe().filter(created_at__lt=created_before).exclude(HALF_MADE)
        return overdue.order_by(F("checked_at").asc(nulls_first=True), "id")

    def giving_access(self) -> Self:
        """Payments that give their payer the right to learn: paid, for what is still there, and
        neither a refund nor a dispute takes it (docs/rules.md, 12.7)."""
        return self.owing_access().exclude(course=None, lesson=None)

    def for_what_is_deleted(self) -> Self:
        """Payments that would give access if what they are for were still there."""
        return self.owing_access().filter(course=None, lesson=None)

    def owing_access(self) -> Self:
        refunds = Refund.objects.ending_access().filter(payment=OuterRef("pk"))
        disputes = Dispute.objects.taking_access().filter(payment=OuterRef("pk"))
        return self.filter(~Exists(refunds), ~Exists(disputes), status=PaymentStatus.PAID)

    def without_access(self) -> Self:
        """Payments that should have given access, and did not."""
        reference = Concat(Value(PREFIX), Cast(OuterRef("pk"), models.CharField()))
        # That it is not empty is said for the index.
        given = Access.objects.active().filter(reference=reference).exclude(reference="")
        return self.giving_access().filter(~Exists(given))

    def lately_without_access(self) -> Self:
        """The same of the last week: older ones are findings."""
        return self.without_access().filter(paid_at__gte=timezone.now() - timedelta(days=7))

    def with_is_disputed(self) -> Self:
        standing = Dispute.objects.standing().filter(payment=OuterRef("pk"))
        return self.annotate(is_disputed=Exists(standing))

    def needless(self) -> Self:
        """Orders that wait and have lost their reason, those first that were dealt with longest ago:
        what is paid for by another payment, and at Stripe, where the buyer could pay at any moment,
        also what they may learn anyway, what is not on sale any more, and all of who was blocked
        (docs/rules.md, 12.24)."""
        same_course = Q(course=OuterRef("course")) | Q(course=OuterRef("lesson__course"))
        same = same_course | Q(lesson=OuterRef("lesson"))
        paid = self.model.objects.giving_access().filter(same, payer=OuterRef("payer"))
        held = Access.objects.active().filter(same, user=OuterRef("payer"))
        unsold = (
            Q(course__price=0)
            | Q(course__is_published=False)
            | Q(lesson__isnull=False, lesson__price=None)
            | Q(lesson__price=0)
            | Q(lesson__is_preview=True)
            | Q(lesson__is_published=False)
            | Q(lesson__course__is_published=False)
        )
        at_stripe = Q(method=PaymentMethod.STRIPE)
        no_reason = Exists(held) | unsold | Q(payer__is_active=False)
        waiting = self.whole().filter(status=PaymentStatus.PENDING)
        found = waiting.filter(Exists(paid) | (at_stripe & no_reason))
        return found.order_by(F("checked_at").asc(nulls_first=True), "id")

    def to_confirm(self) -> Self:
        """Cash and transfers that wait for somebody of the staff to say whether the money came."""
        return self.filter(status=PaymentStatus.PENDING).exclude(method=PaymentMethod.STRIPE)

    def open_too_long(self, *, at: datetime | None = None) -> Self:
        """Payments that wait for longer than money takes: somebody has to look at them."""
        now = at or timezone.now()
        at_stripe = Q(method=PaymentMethod.STRIPE, created_at__lt=now - STRIPE_OPEN_AT_MOST)
        offline = ~Q(method=PaymentMethod.STRIPE) & Q(created_at__lt=now - OFFLINE_OPEN_AT_MOST)
        return self.whole().filter(at_stripe | offline, status=PaymentStatus.PENDING)

    def found_by_staff(self, text: str) -> Self:
        """Payments with `text` in their title or the payer's name or e-mail, of exactly this amount,
        or with exactly this number, external id, bank reference, or id at Stripe."""
        if marked := NUMBER.fullmatch(text):
            return self.filter(pk=int(marked[1]))
        people = get_user_model()._base_manager  # noqa: SLF001 - payments of those who left, too
        payers = people.filter(contains(text, *NAME_SEARCHES))
        exact = Q(external_id=text) | Q(session_id=text) | Q(payment_intent_id=text)
        exact |= Q(bank_reference=text) & ~Q(bank_reference="")
        if text.isdecimal() and len(text) < len(str(2**63)):
            exact |= Q(pk=int(text))
        for rows in (
            Refund.objects.filter(refund_id=text),
            Dispute.objects.filter(dispute_id=text),
        ):
            exact |= Q(pk__in=list(rows.values_list("payment", flat=True)))
        amount = read_amount(text)
        of_amount = [] if amount is None or amount >= TOO_LARGE else [Q(amount=amount)]
        return find(self, exact, *of_amount, contains(text, "searched"), of=Owners("payer", payers))

    def unlike_ledger(self) -> Self:
        """Payments whose entries in the ledger don't add up to what their rows say, for each kind."""
        lost = Dispute.objects.filter(status=DisputeStatus.LOST)
        came = Case(When(paid_at__isnull=False, then="amount"), default=NOTHING)
        said = {
            EntryKind.PAYMENT: came,
            EntryKind.REFUND: -F("refunded_amount"),
            EntryKind.DISPUTE: -_sum_of(lost),
        }
        differs = Q()
        payments = self
        for kind, amount in said.items():
            posted = _sum_of(LedgerEntry.objects.filter(kind=kind))
            payments = payments.alias(**{kind: Round(posted - amount, DECIMAL_PLACES)})
            differs |= ~Q(**{kind: 0})
        return payments.filter(differs)

    def processing_too_long(self, *, at: datetime) -> Self:
        """Payments whose money has been on its way for over a week, with `moved_at`: since when."""
        moves = apps.get_model("payments", "PaymentMove")  # in a module that imports this one
        last = moves.objects.filter(payment=OuterRef("pk")).order_by("-id")
        moved_at = Subquery(last.values("created_at")[:1])
        since = Coalesce(moved_at, "created_at")
        before = at - PROCESSING_AT_MOST
        processing = self.filter(status=PaymentStatus.PROCESSING, created_at__lt=before)
        return processing.annotate(moved_at=since).filter(moved_at__lt=before)

    def of_course(self, course: Course) -> Self:
        """Those for a course and its lessons."""
        return self.filter(Q(course=course) | Q(lesson__course=course))

    def sums_of(self, course: Course) -> list[dict[str, Any]]:
        """How many payments for a course and its lessons are in which state, and their sums."""
        grouped = (
            self.whole()
            .of_course(course)
            .order_by("status", "currency")
            .values("status", "currency")
        )
        return [{**row} for row in grouped.annotate(count=Count("pk"), amount=Sum("amount"))]

    def totals(self) -> list[Totals]:
        """What these payments come to, for each currency that there is."""
        rows = self.order_by()
        # Most schools have one currency, and SQLite takes twice as long to group a million rows.
        foreign = Count("pk", filter=~Q(currency=settings.CURRENCY))
        of_all = read_in_order(rows).aggregate(**TOTALS, foreign=foreign)
        found: list[dict[str, Any]] = []
        if of_all.pop("foreign"):
            grouped = read_in_order(rows).values("currency").annotate(**TOTALS).order_by("currency")
            found.extend({**row} for row in grouped)
        elif of_all["number"]:
            found.append(of_all | {"currency": settings.CURRENCY})
        disputed = rows.filter(disputes__status=DisputeStatus.LOST)
        lost = dict(disputed.values_list("currency").annotate(ExactSum("disputes__amount")))
        return [Totals(**sums, lost=lost.get(sums["currency"], Decimal(0))) for sums in found]

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def in_order(self, ordering: str) -> Self:
        """Order by `paid_at` or `amount`, with `-` for descending. What is not paid comes last
        either way; ties are broken by id."""
        unpaid_last = [IS_UNPAID] if ordering.endswith("paid_at") else []
        direction = "-" if ordering.startswith("-") else ""
        return self.order_by(*unpaid_last, ordering, f"{direction}id")

    def waiting_like(self, offer: "Payment") -> Self:
        """Payments of the same person for the same thing that wait for the same kind of money. At
        Stripe there is one at the most, whatever its price."""
        same = self.filter(payer=offer.payer, course=offer.course, lesson=offer.lesson)
        if offer.method == PaymentMethod.STRIPE:
            return same.open_at_stripe()
        return same.filter(
            amount=offer.amount,
            currency=offer.currency,
            method=offer.method,
            status=PaymentStatus.PENDING,
        )

    def paying_for(self, target: Course | Lesson) -> Self:
        """Payments that give access to it: a paid course covers its lessons."""
        paid = self.giving_access()
        if isinstance(target, Course):
            return paid.filter(course=target)
        return paid.filter(Q(lesson=target) | Q(course=target.course_id))

    def get_by_natural_key(self, external_id: str) -> "Payment":
        return self.get(external_id=external_id)

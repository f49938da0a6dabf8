"""The policy of the payments book. Who sees a payment is `visible_to` in
`payments/models/querysets.py`."""

from typing import TYPE_CHECKING

from django.contrib.auth.backends import ModelBackend

from lms.models import Course, Lesson
from payments.models import Payment
from people.models import User

if TYPE_CHECKING:
    from django.db.models import QuerySet


def can_cancel(user: User, payment: Payment) -> bool:
    """Call off an order: its buyer. Staff reject what they know will not come."""
    return payment.payer_id == user.pk


def may_learn(user: User, target: Course | Lesson) -> bool:
    """Have it already, and so no reason to pay for it: by a right, as its author or moderator, or
    because it is open to everybody."""
    materials = Course.objects if isinstance(target, Course) else Lesson.objects
    return materials.open_to(user).filter(pk=target.pk).exists()


def can_see_earnings(user: User, course: Course) -> bool:
    """How much was paid for a course: its author, and administrators."""
    return course.owner_id == user.pk or user.is_superuser


def can_see_payments(user: User) -> bool:
    """Look through everybody's payments, in the admin. Each of the rights below needs it."""
    return user.has_perm("payments.view_payment")


def can_write_about(user: User, payment: Payment) -> bool:
    """Send the payer a message about the payment: whoever looks through payments."""
    return can_see_payments(user) and user.pk != payment.payer_id


def can_confirm(user: User) -> bool:
    """Say that cash or a transfer came, or will not come."""
    return can_see_payments(user) and user.has_perm("payments.confirm_payment")


def can_vouch_for(user: User, payer: User) -> bool:
    """Say that this person's cash or transfer came: nobody of their own, so that two people know of
    all that is booked by hand."""
    return can_confirm(user) and user.pk != payer.pk


def can_refund(user: User) -> bool:
    return can_see_payments(user) and user.has_perm("payments.refund_payment")


def who_may_refund() -> "QuerySet[User]":
    """Those of whom `can_refund` is true, and who can do so in the admin."""
    may_see, may_refund = (
        ModelBackend().with_perm(right)
        for right in ("payments.view_payment", "payments.refund_payment")
    )
    staff: QuerySet[User] = User.objects.filter(is_staff=True, pk__in=may_see)
    return staff.filter(pk__in=may_refund)


def can_settle(user: User) -> bool:
    """Say that a finding is dealt with, or have it repaired: whoever decides about money."""
    return can_refund(user) or can_confirm(user)


def can_import(user: User) -> bool:
    """Load payments from other books."""
    return can_see_payments(user) and user.has_perm("payments.add_payment")


def can_close(user: User) -> bool:
    """Close a month, for good."""
    return can_see_payments(user) and user.has_perm("payments.close_month")

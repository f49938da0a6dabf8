"""A mail of each kind, for tests: what has to be there so that its recipient gets it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from django.contrib.auth.models import Permission
from django.utils import timezone

from lms.models import (
    ChangeKind,
    Course,
    CourseChange,
    CourseUpdate,
    Digest,
    DigestPart,
    Lesson,
    Subscription,
)
from lms.models.access import AccessSource
from lms.services.accesses import grant_access, take_back
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import (
    DisputeStatus,
    MoveSource,
    Payment,
    PaymentMove,
    PaymentStatus,
    RefundStatus,
)
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from people.models import BlockNotice, BlockReason, Invitation, PersonalExport, StaffMessage, User
from people.models.choices import CourseMails
from people.models.roles import Role
from people.tests.factories import UserFactory
from project.school.current import forget_school
from project.school.models import School

# What staff typed.
REASON = "Nobody has sent the money: see <www.bank.example> & ask there"
# Makes what one kind of mail is about, for this person and with this title; returns its number.
Example = Callable[[User, str], int | None]
EXAMPLES: dict[str, Example] = {}


def example(make: Example) -> Example:
    """Note it as the example of the kind that has the function's name."""
    EXAMPLES[make.__name__] = make
    return make


def _change(person: User, **fields: object) -> None:
    User.objects.filter(pk=person.pk).update(**fields)


def _course(title: str) -> Course:
    return CourseFactory.create(published=True, title=title, price=Decimal("1990.00"))


def _payment(person: User, title: str, **fields: object) -> Payment:
    fields = {"status": PaymentStatus.PAID, "paid_at": timezone.now(), "method": "stripe"} | fields
    return PaymentFactory.create(payer=person, course=_course(title), **fields)


def _move(payment: Payment, to: str) -> int:
    move = PaymentMove.objects.create(
        payment=payment,
        from_status=payment.status,
        to_status=to,
        source=MoveSource.STAFF,
        reason=REASON,
    )
    return move.pk


def _updated_course(person: User, title: str) -> CourseUpdate:
    """Of which the person hears."""
    course = _course(title)
    Subscription.objects.create(user=person, course=course)
    update = CourseUpdate.objects.create(course=course)
    lesson, other = LessonFactory.create_batch(2, course=course, title=title)
    for kind, changed in (
        (ChangeKind.COURSE_TEXT, None),
        (ChangeKind.LESSON_ADDED, lesson),
        (ChangeKind.VIDEO_REPLACED, other),
        (ChangeKind.LESSON_REMOVED, Lesson(pk=10**6, title=title)),
    ):
        CourseChange.objects.create(
            update=update,
            course=course,
            kind=kind,
            changed_by=course.owner,
            lesson_id=changed.pk if changed else None,
            lesson_title=changed.title if changed else "",
        )
    return update


def _may_refund(person: User) -> None:
    _change(person, is_staff=True)
    rights = Permission.objects.filter(codename__in=["refund_payment", "view_payment"])
    person.user_permissions.set(rights)


@example
def access_given(person: User, title: str) -> int:
    lesson: Lesson = LessonFactory.create(course=_course("Bread at home"), title=title)
    access, _is_new = grant_access(user=person, target=lesson, source=AccessSource.GRANT)
    return access.pk


@example
def access_revoked(person: User, title: str) -> int:
    access, _is_new = grant_access(user=person, target=_course(title), source=AccessSource.GRANT)
    take_back(access=access, reason=REASON)
    return access.pk


@example
def access_taken(person: User, title: str) -> int:
    status = PaymentStatus.REFUNDED
    return _payment(person, title, status=status, refunded_amount=Decimal("1990.00")).pk


@example
def account_blocked(person: User, title: str) -> int:
    now = timezone.now()
    _change(person, is_active=False, blocked_reason=BlockReason.STAFF, blocked_at=now)
    return BlockNotice.objects.create(person=person, is_blocked=True, reason=REASON).pk


@example
def account_unblocked(person: User, title: str) -> int:
    return BlockNotice.objects.create(person=person, is_blocked=False, reason=REASON).pk


@example
def amount_differs(person: User, title: str) -> int:
    _may_refund(person)
    received = {"received_amount": Decimal("1980.00"), "received_currency": "RUB"}
    waiting = {"status": PaymentStatus.PROCESSING, "paid_at": None}
    return _payment(UserFactory.create(), title, **waiting, **received).pk


@example
def course_digest(person: User, title: str) -> int:
    _change(person, course_mails=CourseMails.DAILY)
    course = _updated_course(person, title).course
    last = CourseChange.objects.filter(course=course).latest("pk")
    digest, _is_new = Digest.objects.get_or_create(date=timezone.localdate())
    DigestPart.objects.create(
        digest=digest, user=person, course_id=course.pk, after=0, up_to=last.pk, is_partial=False
    )
    return digest.pk


@example
def course_update(person: User, title: str) -> int:
    return _updated_course(person, title).pk


@example
def data_export(person: User, title: str) -> None:
    PersonalExport.objects.create(user=person, ready_at=timezone.now())


@example
def dispute_opened(person: User, title: str) -> int:
    _may_refund(person)
    payment = _payment(UserFactory.create(), title)
    due = timezone.now() + timedelta(days=7)
    status = DisputeStatus.NEEDS_RESPONSE
    return DisputeFactory.create(payment=payment, status=status, evidence_due_by=due).pk


@example
def email_change(person: User, title: str) -> None:
    _change(person, new_email=person.email, email=f"former.{person.email}")


@example
def email_change_notice(person: User, title: str) -> None:
    pass


@example
def email_confirmation(person: User, title: str) -> None:
    _change(person, email_confirmed_at=None)


@example
def inactivity_warning(person: User, title: str) -> None:
    now = timezone.now()
    _change(person, last_login=now - timedelta(days=25), warned_at=now)


@example
def invitation(person: User, title: str) -> None:
    role = Role.objects.create(name=title[:150])
    invited = Invitation.objects.create(
        user=person, sent_at=timezone.now(), invited_by=UserFactory.create()
    )
    invited.roles.add(role)


@example
def order_placed(person: User, title: str) -> int:
    said = {"transfer_instructions": "Write your name as the purpose.", "bank_details": "Account 1"}
    School.objects.update_or_create(pk=1, defaults=said)
    forget_school()
    waiting = {"status": PaymentStatus.PENDING, "paid_at": None, "method": "transfer"}
    return _payment(person, title, **waiting).pk


@example
def password_reset(person: User, title: str) -> None:
    pass


@example
def payment_failed(person: User, title: str) -> int:
    return _payment(person, title, status=PaymentStatus.FAILED, paid_at=None).pk


@example
def payment_received(person: User, title: str) -> int:
    return _payment(person, title).pk


@example
def payment_refunded(person: User, title: str) -> int:
    return RefundFactory.create(payment=_payment(person, title)).pk


@example
def payment_rejected(person: User, title: str) -> int:
    return _move(_payment(person, title, method="cash", status="pending", paid_at=None), "failed")


@example
def payment_reopened(person: User, title: str) -> int:
    return _move(_payment(person, title, method="cash"), "pending")


@example
def reactivation(person: User, title: str) -> None:
    reason = BlockReason.INACTIVITY
    _change(person, is_active=False, blocked_reason=reason, blocked_at=timezone.now())


@example
def refund_failed(person: User, title: str) -> int:
    _may_refund(person)
    failed = {"status": RefundStatus.FAILED, "refund_id": "re_1", "failure": "declined"}
    return RefundFactory.create(payment=_payment(UserFactory.create(), title), **failed).pk


@example
def staff_message(person: User, title: str) -> int:
    message = StaffMessage.objects.create(
        key=uuid4(),
        sender=UserFactory.create(first_name="Sonja"),
        recipient=person,
        subject=title[:150],
        text=f"{title}\n\nOpen <b>the course</b> & look.\n{'long' * 30}",
    )
    return message.pk


@example
def second_factor_reset(person: User, title: str) -> None:
    pass

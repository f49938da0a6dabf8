"""Following the updates of courses, and how one hears of them (docs/rules.md, 9.10 and 9.11).

Whatever begins, ends or changes how a person hears of updates holds the row of that person, so that
the daily mail sees it before or after (lms/services/digests.py).
"""

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Coalesce, Greatest

from lms.models import Course, DigestPart, Subscription
from lms.models.digests import last_settled
from lms.models.subscriptions import SubscriptionQuerySet
from people.models import CourseMails, User


@transaction.atomic
def subscribe(*, user: User, course: Course) -> bool:
    """Subscribe a person to updates of a course. Returns False if they already were."""
    course = Course.objects.protected_from_deletion().get(pk=course.pk)
    person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    subscription, created = Subscription.objects.get_or_create(user=person, course=course)
    if created:
        row = Subscription.objects.filter(pk=subscription.pk)
        # Who followed the course before is not told once more of what a daily mail told.
        told = DigestPart.objects.filter(user=person, course_id=course.pk)
        row.update(digested_up_to=told.aggregate(last=Max("up_to"))["last"])
        _turn(row, before=CourseMails.NEVER, after=subscription.hears)
    return created


def unsubscribe(*, user: User, course_id: int) -> None:
    """End a subscription; nothing happens if there is none."""
    Subscription.objects.filter(user=user, course__id=course_id).delete()


@transaction.atomic
def choose_for_course(*, user: User, course_id: int, how: CourseMails | None) -> None:
    """Have a person hear of updates of one course in this way; None: as of all others. Raises
    DoesNotExist if they do not follow it."""
    person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    subscription = Subscription.objects.get(user=person, course=course_id)
    subscription.user = person
    before = subscription.hears
    subscription.course_mails = how
    row = Subscription.objects.filter(pk=subscription.pk)
    _turn(row, before=before, after=subscription.hears)
    row.update(course_mails=how)


def follow_choice(person: User, *, before: CourseMails) -> None:
    """Have the subscriptions for which the person chose nothing else follow what they now chose for
    all. To be called in the transaction of the change, with the person locked."""
    rows = Subscription.objects.filter(user=person, course_mails=None)
    _turn(rows, before=before, after=CourseMails(person.course_mails))


@transaction.atomic
def choose_for_all(*, user: User, how: CourseMails) -> None:
    """Have a person hear of updates of all courses in this way, whatever they chose for one."""
    person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    before = CourseMails(person.course_mails)
    person.course_mails = how
    person.save(update_fields=["course_mails"])
    for chosen in CourseMails:
        rows = Subscription.objects.filter(user=person, course_mails=chosen)
        _turn(rows, before=chosen, after=how)
    follow_choice(person, before=before)
    Subscription.objects.filter(user=person).update(course_mails=None)


def _turn(rows: SubscriptionQuerySet, *, before: CourseMails, after: CourseMails) -> None:
    """Mark from which change on the daily mail answers for these subscriptions.

    Who comes to the daily mail hears by it of what no mail at once has told yet. Who leaves it
    keeps the mark: what it told is not told again, and what only it can still tell comes with the
    next one. Who wanted to hear nothing does not hear of it later, but of what is still open.
    """
    settled = last_settled("course_id")
    if before == CourseMails.NEVER and after == CourseMails.DAILY:
        rows.update(digested_up_to=Greatest(Coalesce("digested_up_to", 0), settled))
    elif before == CourseMails.NEVER and after == CourseMails.AT_ONCE:
        rows.in_digests().update(digested_up_to=Greatest(F("digested_up_to"), settled))
    elif before == CourseMails.AT_ONCE and after == CourseMails.DAILY:
        rows.filter(digested_up_to=None).update(digested_up_to=settled)

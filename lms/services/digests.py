"""The daily mail: one a day at a set hour of the school, to all who chose it (docs/rules.md, 9.11).

Each day of the school has one row, so that there is one mail for it, however often it is asked for,
by whatever clock. Recipients are listed in steps of one transaction. A step writes down what each
person is told (`DigestPart`), moves their marks behind it (`Subscription.digested_up_to`), and puts
the mail into the outbox. While it runs nobody else lists recipients, and the people of the step
choose nothing else: so what a mail at once told, or is to tell, is known and stays so.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Case, Exists, F, FilteredRelation, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from lms.models import Course, CourseChange, Digest, DigestCourse, DigestPart, Subscription
from lms.models.digests import DAILY_MAIL, changes_in, last_settled, told_at_once
from lms.models.subscriptions import CHOICE
from people.models import CourseMails, User
from project.common.db.bulk import insert_selected
from project.mail.recipients import add_recipients, hold_listing
from project.mail.services import open_mailing, start_delivery
from project.school.current import current_school

# Subscriptions that one step looks at, but for more of the last person.
STEP = 2000
# Parts that one statement deletes.
FORGOTTEN_AT_ONCE = 20_000


@transaction.atomic
def open_digest(at: datetime) -> bool:
    """Begin the daily mail if its hour has come and none was begun for this day, or for a later one:
    in another time zone it may have been tomorrow. Returns whether it was."""
    school = current_school()
    local = timezone.localtime(at, school.zone)
    # By a clock that ran ahead it may have been any day.
    later = Digest.objects.filter(date__gt=local.date(), created_at__lte=at)
    if local.hour < school.daily_mail_hour or later.exists():
        return False
    digest, is_new = Digest.objects.get_or_create(date=local.date(), defaults={"created_at": at})
    if not is_new:
        return False
    last = CourseChange.objects.filter(course=OuterRef("pk")).order_by("-id").values("id")[:1]
    courses = Course.objects.filter(is_published=True).annotate(last=Subquery(last))
    untold = Subscription.objects.filter(course=OuterRef("pk"), digested_up_to__lt=OuterRef("last"))
    columns = {
        "digest_id": Value(digest.pk),
        "course_id": F("pk"),
        "settled_up_to": last_settled("pk"),
        "up_to": F("last"),
    }
    told = courses.filter(Exists(untold)).order_by("pk").protected_from_deletion()
    insert_selected(DigestCourse, columns, told)
    _mark_unmarked()  # last: who deletes a course holds it before its subscriptions, too
    return True


@transaction.atomic
def list_one_step() -> bool:
    """List some recipients of the oldest daily mail that is not listed yet. Returns False if there
    is none."""
    hold_listing()
    unlisted = Digest.objects.filter(is_listed=False).order_by("date")
    digest = unlisted.select_for_update().first()
    if digest is None:
        return False
    ahead = Subscription.objects.in_digests().filter(user__gt=digest.listed_up_to)
    last = ahead.order_by("user").values_list("user", flat=True)[STEP - 1 : STEP].first()
    if last is None:
        digest.is_listed = True
    else:
        ahead = ahead.filter(user__lte=last)
        digest.listed_up_to = last
    people = User.objects.filter(pk__in=ahead.order_by().values("user")).order_by("pk")
    held = list(people.select_for_update(no_key=True).values_list("pk", flat=True))
    if held:
        _tell(digest, held)
    digest.save(update_fields=["listed_up_to", "is_listed"])
    return True


def forget_digests(before: datetime, *, steps: int = 100) -> int:
    """Delete daily mails of days before this moment, with what they told whom, at most `steps` ×
    FORGOTTEN_AT_ONCE parts at a time. Returns the number of parts."""
    old = Digest.objects.filter(date__lt=timezone.localdate(before))
    parts = DigestPart.objects.filter(digest__in=old).order_by("digest", "user").values("pk")
    deleted = 0
    for _step in range(steps):
        rows = DigestPart.objects.filter(pk__in=parts[:FORGOTTEN_AT_ONCE])
        count = rows.delete()[0]
        deleted += count
        if count < FORGOTTEN_AT_ONCE:
            old.delete()
            break
    return deleted


def _mark_unmarked() -> None:
    """Have daily mails, the next one at the latest, answer for subscriptions without a mark from their
    beginning on: a host of an earlier release, or a fixture, made them for people who had chosen it."""
    before = CourseChange.objects.filter(
        course=OuterRef("course"), changed_at__lt=OuterRef("created_at")
    )
    last = Subquery(before.order_by("-id").values("id")[:1])
    rows = Subscription.objects.hearing(CourseMails.DAILY).filter(digested_up_to=None)
    # Who chooses at this moment may have set the mark.
    rows.update(digested_up_to=Coalesce("digested_up_to", last, 0))


def _tell(digest: Digest, people: Sequence[int]) -> None:
    """Write down what the daily mail tells these people, and put it into the outbox."""
    subscriptions = Subscription.objects.in_digests().filter(user__in=people)
    told = subscriptions.annotate(
        choice=CHOICE,
        told=FilteredRelation("course__digests", condition=Q(course__digests__digest=digest)),
        # Who left the daily mail hears by it of what no mail at once will tell them: of what they
        # missed, and of the rest of an update of which it told the beginning.
        last=Case(
            When(choice=CourseMails.DAILY, then=F("told__up_to")),
            When(digested_up_to__gt=F("told__settled_up_to"), then=F("told__up_to")),
            default=F("told__settled_up_to"),
        ),
    )
    changes = changes_in("digested_up_to", "last", course="course")
    columns = {
        "digest_id": Value(digest.pk),
        "user_id": F("user_id"),
        "course_id": F("course_id"),
        "after": F("digested_up_to"),
        "up_to": F("last"),
        "is_partial": Exists(changes.filter(told_at_once("user"))),
    }
    told = told.exclude(choice=CourseMails.NEVER).filter(digested_up_to__lt=F("last"))
    # A price alone is told with what changes next.
    told = told.filter(Exists(changes.of_materials()))
    if not insert_selected(DigestPart, columns, told.order_by()):
        return
    parts = DigestPart.objects.filter(digest=digest)
    part = parts.filter(user=OuterRef("user"), course_id=OuterRef("course"))
    subscriptions.filter(Exists(part)).update(digested_up_to=Subquery(part.values("up_to")))
    changes = changes_in("after", "up_to", course="course_id").of_materials()
    untold = Exists(changes.filter(~told_at_once("user")))
    parts = parts.filter(Q(is_partial=False) | untold, user__in=people)
    mailing = open_mailing(DAILY_MAIL, str(digest), subject_id=digest.pk, title=str(digest))
    if add_recipients(mailing, parts.order_by().distinct(), "user_id"):
        start_delivery()

"""The mail to the subscribers of a course, with the link in it that ends a subscription, and those
that say that staff gave access or took it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Min, Model, Q, QuerySet
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from lms.models import Access, ChangeKind, Course, CourseChange, CourseUpdate, Lesson, Subscription
from lms.models.digests import AT_ONCE_MAIL
from lms.models.subscriptions import CHOICE
from lms.models.updates import COMING_AND_GOING, PRICES
from people.models import CourseMails, User
from project.common.frontend import course_page, lesson_page
from project.common.money import price_shown
from project.mail.kinds import UNSUBSCRIBE_MARK, Letter, MailKind, Skip, render

# A mail that tells more is not read; the rest is counted.
LINES = 50
# Changes that are looked at for one mail: more come from a program, not from an author.
CHANGES = 2000
HEX_DIGITS = 32  # of a UUID
ALL_COURSES = "all"


# The key of these mails is the number of the access.
GIVEN = "access_given"
REVOKED = "access_revoked"


@dataclass(frozen=True)
class Line:
    """One thing that changed: what, its title, and where to look at it (empty: it is gone). Of a name
    `old` is the one before; of a price there are both."""

    kind: ChangeKind
    title: str
    link: str
    old: str = ""
    price: tuple[Decimal | None, Decimal | None] | None = None

    @property
    def is_price(self) -> bool:
        """Whether no mail is sent for it alone."""
        return self.kind in PRICES

    @property
    def in_figures(self) -> str:
        """What is said of it, but for its kind, in no language."""
        title = " → ".join(filter(None, [self.old, self.title]))
        prices = " → ".join("—" if one is None else f"{one:f}" for one in self.price or ())
        return ": ".join(filter(None, [title, prices]))

    @property
    def prices(self) -> list[str]:
        """The old price and the new one, as the present language writes them."""
        return [
            str(_("not sold on its own")) if one is None else price_shown(one, settings.CURRENCY)
            for one in self.price or ()
        ]


class CourseUpdateMail(MailKind):
    """What changed in a course, to each subscriber in their language, without their own changes."""

    name = AT_ONCE_MAIL
    label = _("course update")
    is_shared = True

    def audience(self, subject_id: int) -> tuple[QuerySet[Model], str]:
        """Who hears at once, unless a daily mail told them of any of this: then it tells the rest,
        too."""
        rows = Subscription.objects.hearing(CourseMails.AT_ONCE).filter(course__updates=subject_id)
        changes = CourseChange.objects.filter(update=subject_id)
        first = changes.aggregate(first=Min("id"))["first"] or 0
        return rows.filter(Q(digested_up_to=None) | Q(digested_up_to__lt=first)), "user_id"

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        people = list(people)
        found = CourseUpdate.objects.select_related("course__owner")
        update = found.filter(pk=subject_id or 0).first()
        if update is None:
            return {person.pk: Skip(gettext_noop("the course was deleted")) for person in people}
        if not update.course.is_published:
            unpublished = Skip(gettext_noop("the course was unpublished"))
            return {person.pk: unpublished for person in people}
        letters = LettersOfUpdate(update)
        subscriptions = Subscription.objects.filter(course=update.course, user__in=people)
        choices = dict(subscriptions.values_list("user_id", CHOICE))
        return {person.pk: letters.letter_to(person, choices) for person in people}


class LettersOfUpdate:
    """The letters of one update: rendered once for each language and each author of changes."""

    def __init__(self, update: CourseUpdate) -> None:
        self.course = update.course
        self.changes = list(update.changes.order_by("id")[:CHANGES])
        self.lessons = lessons_of(self.course, self.changes)
        self.authors = {change.changed_by_id for change in self.changes}
        self.letter = cache(self._render)
        self.link = unsubscribe_url("{token}")

    def letter_to(self, person: User, choices: Mapping[int, CourseMails]) -> Letter | Skip:
        """`choices` of those who are subscribed."""
        if not person.is_active:
            return Skip(gettext_noop("blocked"))
        if person.pk not in choices:
            return Skip(gettext_noop("unsubscribed"))
        if choices[person.pk] == CourseMails.NEVER:
            return Skip(gettext_noop("wants no emails about updates"))
        token = unsubscribe_token(person, self.course.pk)
        author = person.pk if person.pk in self.authors else None
        letter = self.letter(person.language, author)
        if isinstance(letter, Skip):
            return letter
        return replace(letter, unsubscribe_url=self.link.replace("{token}", token))

    def _render(self, language: str, author: int | None) -> Letter | Skip:
        changes = [
            change for change in self.changes if author is None or change.changed_by_id != author
        ]
        if not changes:
            return Skip(gettext_noop("made the change"))
        lines = lines_of(self.course, changes, self.lessons)
        if not lines:
            return Skip(gettext_noop("the change was undone"))
        owner, told = self.course.owner, {change.changed_by_id for change in changes}
        context = {
            "course": self.course,
            # As the catalog names them; moderators have no name there.
            "author": owner.first_name if owner.pk in told else "",
            "title": Truncator(self.course.title).chars(80),
            "link": course_page(self.course.pk),
            **cut(lines),
            "unsubscribe_url": UNSUBSCRIBE_MARK,
        }
        return render(AT_ONCE_MAIL, language, context)


class AccessMail(MailKind):
    """What staff did with somebody's right to learn something."""

    urgent = True

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        accesses = Access.objects.select_related("course", "lesson__course")
        access = accesses.filter(pk=subject_id or 0).first()
        return {person.pk: self.letter_about(access, person) for person in people}

    def letter_about(self, access: Access | None, person: User) -> Letter | Skip:
        if not person.is_active:
            return Skip(gettext_noop("blocked"))
        if access is None:
            return Skip(gettext_noop("the course was deleted"))
        if outdated := self.reason_against(access, person):
            return Skip(outdated)
        target = access.target
        context = {
            "person": person,
            "target": target,
            "reason": self.told_reason(access),
            "link": course_page(target.course_id if isinstance(target, Lesson) else target.pk),
        }
        return render(self.name, person.language, context)

    def reason_against(self, access: Access, person: User) -> str:
        """Why it is not true any more; empty if it is."""
        raise NotImplementedError(access, person)

    def told_reason(self, access: Access) -> str:
        """What staff wrote, if the person is to read it."""
        raise NotImplementedError(access)


class AccessGivenMail(AccessMail):
    """Staff let somebody learn something."""

    name = GIVEN
    label = _("access given")

    def reason_against(self, access: Access, person: User) -> str:
        return gettext_noop("access was taken back") if access.revoked_at else ""

    def told_reason(self, access: Access) -> str:
        return access.reason if access.is_reason_told else ""


class AccessRevokedMail(AccessMail):
    """Staff took access back, and want the person to know why."""

    name = REVOKED
    label = _("access revoked")

    def reason_against(self, access: Access, person: User) -> str:
        materials = Course.objects if access.course_id else Lesson.objects
        is_open = materials.open_to(person).filter(pk=access.target.pk).exists()
        return gettext_noop("has access") if is_open else ""

    def told_reason(self, access: Access) -> str:
        return access.revoked_reason


def lines_of(
    course: Course, changes: Sequence[CourseChange], lessons: Mapping[int, Lesson | None]
) -> list[Line]:
    """Say each thing once, in the order in which it happened first; names and prices as they are now,
    with those of before. `lessons` are those that are still in the course, drafts too.

    What came and went meanwhile, or is as it was, is not told, and of a new or a removed lesson only
    that. A draft is not there.
    """
    of_subjects: dict[int | None, list[CourseChange]] = {}
    for change in changes:
        of_subjects.setdefault(change.lesson_id, []).append(change)
    lines = []
    for lesson_id, found in of_subjects.items():
        lesson = lessons.get(lesson_id) if lesson_id else None
        subject = course if lesson_id is None else lesson
        firsts: dict[ChangeKind, CourseChange] = {}
        for change in found:
            firsts.setdefault(ChangeKind(change.kind), change)
        told = [kind for kind in _told_kinds(found, lesson) if kind in firsts]
        lines += [
            _line(course, subject, firsts[kind])
            for kind in told
            if not _is_undone(firsts[kind], subject)
        ]
    return lines


def _told_kinds(changes: Sequence[CourseChange], lesson: Lesson | None) -> list[ChangeKind]:
    """Which kinds of changes of one lesson, or of a course, are told: by whether it was there before
    them, and is now."""
    steps = [change.kind for change in changes if change.kind in COMING_AND_GOING]
    was_there = steps[:1] != [ChangeKind.LESSON_ADDED]
    is_there = lesson.is_published if lesson else steps[-1:] != [ChangeKind.LESSON_REMOVED]
    if was_there and is_there:
        return [kind for kind in ChangeKind if kind not in COMING_AND_GOING]
    if was_there:
        return [ChangeKind.LESSON_REMOVED]
    return [ChangeKind.LESSON_ADDED] if is_there else []


def _is_undone(change: CourseChange, subject: Course | Lesson | None) -> bool:
    """Whether what changed is as it was; a price, also if the lesson is gone (None)."""
    if change.kind in PRICES:
        return subject is None or subject.price == change.old_price
    return bool(change.old_title) and subject is not None and subject.title == change.old_title


def _line(course: Course, subject: Course | Lesson | None, change: CourseChange) -> Line:
    kind, old = ChangeKind(change.kind), change.old_title
    price = (change.old_price, subject.price) if subject and kind in PRICES else None
    if isinstance(subject, Course):
        return Line(kind, subject.title if old else "", course_page(course.pk), old, price)
    if subject is None or kind == ChangeKind.LESSON_REMOVED:
        return Line(kind, change.lesson_title, "", old, price)
    return Line(kind, subject.title, lesson_page(course.pk, subject.pk), old, price)


def are_mailed(lines: Iterable[Line]) -> bool:
    """Whether a mail is sent for these lines."""
    return any(not line.is_price for line in lines)


def cut(lines: Sequence[Line]) -> dict[str, object]:
    """What a template shows of the lines, and how many more there are."""
    return {"lines": lines[:LINES], "more": max(len(lines) - LINES, 0)}


def lessons_of(course: Course, changes: Iterable[CourseChange]) -> Mapping[int, Lesson]:
    """The lessons of changes that are still in the course."""
    return lessons_by_course([course], changes)[course.pk]


def lessons_by_course(
    courses: Iterable[Course], changes: Iterable[CourseChange]
) -> Mapping[int, Mapping[int, Lesson]]:
    """The lessons of changes that are still in these courses."""
    keys = {change.lesson_id for change in changes if change.lesson_id}
    lessons = Lesson.objects.filter(course__in=courses, pk__in=keys)
    found: dict[int, dict[int, Lesson]] = defaultdict(dict)
    for lesson in lessons.only("pk", "title", "price", "is_published", "course"):
        found[lesson.course_id][lesson.pk] = lesson
    return found


def lines_about(course: Course, changes: Sequence[CourseChange]) -> list[Line]:
    """What these changes of the course come to, to somebody who made none of them."""
    return lines_of(course, changes, lessons_of(course, changes))


def _signer() -> Signer:
    return Signer(salt="lms.unsubscribe")


def unsubscribe_url(token: str) -> str:
    """The address that ends a subscription without logging in."""
    return f"{settings.SITE_URL}{unquote(reverse('unsubscribe', args=[token]))}"


def unsubscribe_token(person: User, course_id: int | None = None) -> str:
    """Proof that the link came with a mail of ours, about one course or about all; it has no expiry,
    because mails are kept, and it can do nothing else. Its letters need no quoting in an address."""
    return _signer().sign(f"{person.identity.hex}-{course_id or ALL_COURSES}")


def subscription_of(token: str) -> tuple[User | None, int | None] | None:
    """The person, if there still is one, and the course of an unsubscribe link, None if it is about all;
    None if we did not make it."""
    try:
        name, _dash, course_id = _signer().unsign(token).partition("-")
        # Mails of earlier releases, which people keep, have the number of the account.
        named = Q(identity=UUID(hex=name)) if len(name) == HEX_DIGITS else Q(pk=int(name))
        about = None if course_id == ALL_COURSES else int(course_id)
        return User.objects.filter(named).first(), about
    except (BadSignature, ValueError):
        return None

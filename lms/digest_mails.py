"""The daily mail about all courses of a person that changed."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import chain

from django.db.models import Exists, OuterRef
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from lms.mails import (
    Line,
    cut,
    lessons_by_course,
    lines_of,
    unsubscribe_token,
    unsubscribe_url,
)
from lms.models import Course, CourseChange, Digest, DigestPart, Subscription
from lms.models.digests import AT_ONCE_MAIL, DAILY_MAIL
from lms.models.subscriptions import CHOICE
from people.models import CourseMails, User
from project.common.frontend import course_page
from project.mail.kinds import UNSUBSCRIBE_MARK, Letter, MailKind, Skip, render
from project.mail.models import Delivery, mailing_key

# Stands in a letter for the courses of its recipient, so that it is rendered once in a language.
# Nobody can write it into a text.
COURSES_MARK = f"courses.invalid/{secrets.token_hex(16)}/"
# Kept at once: with fewer than a day has, each would be rendered for nearly every letter.
SECTIONS = 5000
NOTHING_LEFT = gettext_noop("nothing is left to tell")


class CourseDigestMail(MailKind):
    """What changed in all courses of a person since they heard of them last, without their own
    changes. `DigestPart` says which changes these are."""

    name = DAILY_MAIL
    label = _("daily course updates")
    is_shared = True

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        people = list(people)
        digest = Digest.objects.filter(pk=subject_id or 0).first()
        if digest is None:
            return {person.pk: Skip(NOTHING_LEFT) for person in people}
        letters = LettersOfDigest(digest, people)
        return {person.pk: letters.letter_to(person) for person in people}


@dataclass(frozen=True)
class Section:
    """A course and what changed in it, as text and as HTML."""

    text: str
    html: str


class LettersOfDigest:
    """The letters of one daily mail to some people, read with a fixed number of queries."""

    def __init__(self, digest: Digest, people: Sequence[User]) -> None:
        self.digest = digest
        parts = DigestPart.objects.filter(digest=digest, user__in=people)
        self.parts: dict[int, list[DigestPart]] = {}
        for part in parts.order_by("user", "course_id"):
            self.parts.setdefault(part.user_id, []).append(part)
        told = parts.filter(
            course_id=OuterRef("course"), after__lt=OuterRef("id"), up_to__gte=OuterRef("id")
        )
        courses = parts.order_by().values("course_id")
        changes = CourseChange.objects.filter(Exists(told), course__in=courses)
        self.changes: dict[int, list[CourseChange]] = {}
        for change in changes.order_by("id"):
            self.changes.setdefault(change.course_id, []).append(change)
        published = Course.objects.filter(pk__in=self.changes, is_published=True)
        self.courses = published.only("pk", "title", "price").in_bulk()
        self.lessons = lessons_by_course(self.courses.values(), chain(*self.changes.values()))
        followed = Subscription.objects.filter(user__in=people, course__in=self.courses)
        self.choices = {
            (person, course): choice
            for person, course, choice in followed.values_list("user", "course", CHOICE)
        }
        self.told_at_once = self._told_at_once()
        self.shell = cache(self._shell)
        self.link = unsubscribe_url("{token}")

    def _told_at_once(self) -> set[tuple[int, int | None]]:
        """Who was told which update at once, as far as it matters here."""
        people, keys = set(), set()
        for part in (part for parts in self.parts.values() for part in parts if part.is_partial):
            people.add(part.user_id)
            keys |= {
                mailing_key(AT_ONCE_MAIL, change.update_id) for change in self._changes_in(part)
            }
        told = Delivery.objects.filter(recipient__in=people, mailing__key__in=keys)
        return set(told.values_list("recipient", "mailing__subject_id")) if people else set()

    def _changes_in(self, part: DigestPart) -> list[CourseChange]:
        changes = self.changes.get(part.course_id, [])
        return [change for change in changes if part.after < change.pk <= part.up_to]

    def letter_to(self, person: User) -> Letter | Skip:
        if not person.is_active:
            return Skip(gettext_noop("blocked"))
        sections = [self._section(person, part) for part in self.parts.get(person.pk, [])]
        found = [section for section in sections if section is not None]
        if not found:
            return Skip(NOTHING_LEFT)
        shell: Letter = self.shell(person.language)
        return replace(
            shell,
            text=shell.text.replace(COURSES_MARK, "\n\n".join(one.text for one in found)),
            html=shell.html.replace(COURSES_MARK, "".join(one.html for one in found)),
            unsubscribe_url=self.link.replace("{token}", unsubscribe_token(person)),
        )

    def _section(self, person: User, part: DigestPart) -> Section | None:
        """None if this person does not want to hear of the course any more, or all is told."""
        course = self.courses.get(part.course_id)
        choice = self.choices.get((person.pk, part.course_id), CourseMails.NEVER)
        if course is None or choice == CourseMails.NEVER:
            return None
        changes = [
            change
            for change in self._changes_in(part)
            if change.changed_by_id != person.pk
            and (person.pk, change.update_id) not in self.told_at_once
        ]
        lines = lines_of(course, changes, self.lessons[course.pk])
        return (
            _rendered(person.language, course.title, course_page(course.pk), tuple(lines))
            if lines
            else None
        )

    def _shell(self, language: str) -> Letter:
        context = {
            "date": self.digest.date,
            "courses": COURSES_MARK,
            "unsubscribe_url": UNSUBSCRIBE_MARK,
        }
        return render(DAILY_MAIL, language, context)


@lru_cache(maxsize=SECTIONS)
def _rendered(language: str, title: str, link: str, lines: tuple[Line, ...]) -> Section:
    """Many people get the same of a course."""
    context = {
        "title": title,
        "link": link,
        **cut(lines),
    }
    with translation.override(language):
        text = render_to_string("mail/course_digest_course.txt", context)
        html = render_to_string("mail/course_digest_course.html", context)
    return Section(text.strip(), html)

"""Giving the people of a list access to a course (docs/rules.md, 11.10)."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lms import permissions
from lms.models import Access, Course
from lms.services import accesses
from people.errors import EmailTaken
from people.models import Language, User
from people.permissions import can_invite
from people.services.invitations import invite
from people.validators import validate_mailbox
from project.common.address_lists import Entry
from project.common.errors import Conflict, DomainError
from project.common.mailboxes import canonical, compared

MOST_ENTRIES = 1000
# Each takes thirty times as long as a right: the rest stays in the box, and is sent once more.
MOST_ACCOUNTS = 100


class TooManyEntries(Conflict):
    code = "too_many_entries"
    message = gettext_lazy("A list can have 1,000 people at most. Divide it into several.")


class Outcome(TextChoices):
    ENROLLED = "enrolled", gettext_lazy("gets access")
    INVITED = "invited", gettext_lazy("gets an account, an invitation and access")
    HAS_ACCESS = "has_access", gettext_lazy("has access already")
    DUPLICATE = "duplicate", gettext_lazy("is in the list twice")
    UNKNOWN = "unknown", gettext_lazy("has no account")
    BLOCKED = "blocked", gettext_lazy("is blocked")
    WRONG = "wrong", gettext_lazy("can't be read")


GOOD = (Outcome.ENROLLED, Outcome.INVITED)
# Of these there is something to correct.
REFUSED = (Outcome.UNKNOWN, Outcome.BLOCKED, Outcome.WRONG)


@dataclass
class Verdict:
    """What becomes of an entry, with the `reason` in words where the outcome does not say it."""

    entry: Entry
    outcome: Outcome
    person: User | None = None
    reason: str = ""

    @property
    def is_good(self) -> bool:
        return self.outcome in GOOD

    @property
    def is_refused(self) -> bool:
        return self.outcome in REFUSED


def check_list(
    *, course: Course, entries: list[Entry], by: User, makes_accounts: bool
) -> list[Verdict]:
    """Say what `enrol_list` would do; write nothing. Raises TooManyEntries, PermissionDenied."""
    if len(entries) > MOST_ENTRIES:
        raise TooManyEntries
    if not permissions.can_enrol(by, course) or (makes_accounts and not can_invite(by)):
        raise PermissionDenied
    people = _people_of(entries)
    holders = Access.objects.active().filter(course=course, user__in=people.values())
    have_access = {course.owner_id, *holders.values_list("user", flat=True)}
    firsts: dict[str, Entry] = {}
    verdicts = []
    for entry in entries:
        first = firsts.setdefault(compared(entry.address), entry)
        if entry.address and first is not entry:
            reason = _("as in line %(number)d") % {"number": first.line}
            verdicts.append(Verdict(entry, Outcome.DUPLICATE, reason=reason))
        else:
            verdicts.append(_judge(entry, people, have_access, makes_accounts=makes_accounts))
    for verdict in [one for one in verdicts if one.outcome == Outcome.INVITED][MOST_ACCOUNTS:]:
        verdict.outcome = Outcome.UNKNOWN
        verdict.reason = _("%(number)d accounts are made at a time") % {"number": MOST_ACCOUNTS}
    return verdicts


def enrol_list(
    *,
    course: Course,
    entries: list[Entry],
    by: User,
    reason: str,
    tell: bool = False,
    makes_accounts: bool = False,
    language: str = Language.ENGLISH,
) -> tuple[list[Verdict], list[Access]]:
    """Give access to all who can get it, with accounts for those who have none if wished; what is refused
    hinders nobody else. Return what became of each, and the new rights. Raises as `check_list`,
    DoesNotExist.
    """
    verdicts = check_list(course=course, entries=entries, by=by, makes_accounts=makes_accounts)
    for verdict in verdicts:
        if verdict.outcome == Outcome.INVITED:
            _invite(verdict, by, language)
    users = [one.person for one in verdicts if one.is_good and one.person]
    given = accesses.grant_to_many(
        users=users, course=course, given_by=by, reason=reason, tell=tell
    )
    return verdicts, given


def _people_of(entries: Iterable[Entry]) -> dict[str, User]:
    """The accounts of the addresses, by their spelling as it is compared."""
    spellings = {
        spelling
        for entry in entries
        for spelling in (entry.address.lower(), compared(entry.address))
    }
    found = User.objects.filter(email__lower__in=spellings)
    return {person.email.lower(): person for person in found}


def _judge(
    entry: Entry, people: dict[str, User], have_access: set[int], *, makes_accounts: bool
) -> Verdict:
    if not entry.address:
        return Verdict(entry, Outcome.WRONG, reason=_("there is no email address in this line"))
    # As `by_email`: of two accounts of one mailbox each is found by its own spelling.
    person = people.get(entry.address.lower()) or people.get(compared(entry.address))
    if person is None:
        return _judge_unknown(entry, makes_accounts=makes_accounts)
    if not person.is_active:
        return Verdict(entry, Outcome.BLOCKED, person)
    has_access = person.pk in have_access
    return Verdict(entry, Outcome.HAS_ACCESS if has_access else Outcome.ENROLLED, person)


def _judge_unknown(entry: Entry, *, makes_accounts: bool) -> Verdict:
    try:
        validate_mailbox(canonical(entry.address))
        if makes_accounts:
            User(email=entry.address, **_profile(entry)).clean_fields(exclude={"password"})
    except ValidationError as error:
        return Verdict(entry, Outcome.WRONG, reason=" ".join(error.messages))
    return Verdict(entry, Outcome.INVITED if makes_accounts else Outcome.UNKNOWN)


def _invite(verdict: Verdict, by: User, language: str) -> None:
    entry = verdict.entry
    try:
        profile = _profile(entry) | {"language": language}
        verdict.person = invite(email=entry.address, profile=profile, by=by)
    except EmailTaken:  # just now
        verdict.person = User.objects.active().by_email(entry.address).first()
        verdict.outcome = Outcome.ENROLLED if verdict.person else Outcome.BLOCKED
    except DomainError as error:
        verdict.outcome, verdict.reason = Outcome.UNKNOWN, str(error)


def _profile(entry: Entry) -> dict[str, str]:
    return {"first_name": entry.first_name, "last_name": entry.last_name}

"""Loading payments from other books: all of a file or nothing."""

import itertools
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import IntegrityError, reset_queries, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lms.models import Course, Lesson
from payments.models import MoveSource, Payment
from payments.services.importing.rows import Draft, Row, Unfit, read_row
from payments.services.transitions import Cause, NewPayment, insert_payments
from people.models import User
from project.common.db.bulk import many_writes
from project.common.errors import Conflict

BATCH_SIZE = 1000
# So many people, courses and lessons are remembered while a file is gone through.
MOST_REMEMBERED = 50_000
# After so many bad rows nobody needs to hear of more.
MOST_BAD_ROWS = 20


class PaymentsChanged(Conflict):
    code = "book_changed"
    message = gettext_lazy(
        "The payments changed while the file was being loaded, so nothing was loaded. Try again."
    )


@dataclass(slots=True)
class ImportReport:
    """How many rows are new, and how many were there already. With `bad_rows` nothing is loaded;
    `is_complete` is False if rows after the last of them were not looked at."""

    new: int = 0
    known: int = 0
    bad_rows: list[Row] = field(default_factory=list)
    is_complete: bool = True

    def refuse(self, row: Row, unfit: Unfit) -> None:
        self.bad_rows.append(replace(row, problem=str(unfit)))


def import_payments(
    *, rows: Iterable[Row], by: User | None = None, at: datetime | None = None
) -> ImportReport:
    """Load all rows in one transaction, or none if one of them is bad; paid ones give access.

    A row whose `external_id` is in the book already changes nothing: a payment lives on here after
    it was imported. Raises PaymentsChanged if somebody else loaded the same rows meanwhile.
    """
    try:
        with many_writes(), transaction.atomic():
            report = _go_through(rows, Cause(source=MoveSource.IMPORT, by=by), at)
            transaction.set_rollback(bool(report.bad_rows))
    except IntegrityError:
        raise PaymentsChanged from None
    return report


def check_rows(*, rows: Iterable[Row]) -> ImportReport:
    """Say what `import_payments` would do with the rows; write nothing."""
    return _go_through(rows)


def _go_through(
    rows: Iterable[Row], cause: Cause | None = None, at: datetime | None = None
) -> ImportReport:
    """Check the rows, and with a cause put them into the book as long as none is bad."""
    report = ImportReport()
    at = at or timezone.now()
    references = References()
    with closing(ExternalIds()) as external_ids:
        for batch in itertools.batched(rows, BATCH_SIZE):
            payments = _new_payments(batch, external_ids, references, report, at)
            if len(report.bad_rows) >= MOST_BAD_ROWS:
                del report.bad_rows[MOST_BAD_ROWS:]
                report.is_complete = False
                break
            if cause and not report.bad_rows:
                insert_payments(payments=payments, cause=cause)
            # With DEBUG Django remembers every query, and here they are large.
            reset_queries()
    return report


def _new_payments(
    batch: Iterable[Row],
    external_ids: "ExternalIds",
    references: "References",
    report: ImportReport,
    at: datetime,
) -> list[NewPayment]:
    """Return those of the batch; note in the report what else there is in it."""
    drafts, payments = [], []
    for row in batch:
        try:
            draft = read_row(row)
            external_ids.claim(draft.external_id, row.number)
            drafts.append(draft)
        except Unfit as unfit:
            report.refuse(row, unfit)
    references.read(drafts)
    for draft in drafts:
        try:
            payment = references.new_payment(draft, at)
        except Unfit as unfit:
            report.refuse(draft.row, unfit)
        else:
            if payment:
                payments.append(payment)
            else:
                report.known += 1
    report.new += len(payments)
    report.bad_rows.sort(key=lambda bad_row: bad_row.number)
    return payments


class ExternalIds:
    """Which external id came first in which row of a file: in a temporary database on disk,
    because a file may have more of them than there is memory."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("", isolation_level=None)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute(
            "CREATE TABLE row (external_id TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID"
        )
        self.database.execute("BEGIN")

    def claim(self, external_id: str, number: int) -> None:
        """Raises Unfit if an earlier row has the id."""
        claimed = self.database.execute(
            "INSERT OR IGNORE INTO row VALUES (?, ?)", (external_id, number)
        )
        if not claimed.rowcount:
            where = "SELECT number FROM row WHERE external_id = ?"
            [first] = self.database.execute(where, (external_id,)).fetchone()
            message = _("external_id: row %(number)s already has %(external_id)s")
            raise Unfit(message % {"number": first, "external_id": external_id})

    def close(self) -> None:
        self.database.close()


class References:
    """What the rows of a batch refer to: each kind of it is read in one query, and what earlier
    batches asked for is not read again."""

    def __init__(self) -> None:
        # By what a file calls them: an id, or an e-mail as mailboxes are compared.
        self.users: dict[int | str, int] = {}
        self.courses: dict[int | None, str] = {}
        self.lessons: dict[int | None, str] = {}
        # By external id: payer, course, lesson, amount and currency, which never change.
        self.payments: dict[str | None, tuple[object, ...]] = {}

    def read(self, drafts: Collection[Draft]) -> None:
        """Read what is not known yet."""
        for remembered in (self.users, self.courses, self.lessons):
            if len(remembered) > MOST_REMEMBERED:
                remembered.clear()
        people = {draft.user for draft in drafts} - self.users.keys()
        users = get_user_model()._base_manager.annotate(email_key=Lower("email"))  # noqa: SLF001
        emails = [name for name in people if isinstance(name, str)]
        self.users |= users.filter(email_key__in=emails).values_list("email_key", "pk")
        ids = [number for number in people if isinstance(number, int)]
        self.users |= users.filter(pk__in=ids).values_list("pk", "pk")
        courses = {draft.course_id for draft in drafts if draft.course_id} - self.courses.keys()
        self.courses |= Course.objects.filter(pk__in=courses).values_list("pk", "title")
        lessons = {draft.lesson_id for draft in drafts if draft.lesson_id} - self.lessons.keys()
        self.lessons |= Lesson.objects.filter(pk__in=lessons).values_list("pk", "title")
        columns = ("external_id", "payer_id", "course_id", "lesson_id", "amount", "currency")
        known = Payment.objects.filter(external_id__in={draft.external_id for draft in drafts})
        self.payments = {name: tuple(facts) for name, *facts in known.values_list(*columns)}

    def new_payment(self, draft: Draft, at: datetime) -> NewPayment | None:
        """Return the new payment, or None if it is in the book. Raises Unfit."""
        if known := self.payments.get(draft.external_id):
            # The e-mail of somebody whose account was erased meanwhile leads nowhere any more.
            payer_id = self.users.get(draft.user, known[0])
            target = (draft.course_id, draft.lesson_id)
            if known[1:3] == (None, None):  # deleted since
                target = (None, None)
            if known != (payer_id, *target, draft.amount, draft.currency):
                message = _(
                    "external_id: %s is already recorded with a different person, item or amount"
                )
                raise Unfit(message % draft.external_id)
            return None
        problems = []
        if draft.user not in self.users:
            problems.append(_("user: there is no account %s") % draft.user)
        if draft.course_id is not None and draft.course_id not in self.courses:
            problems.append(_("course_id: there is no course %s") % draft.course_id)
        if draft.lesson_id is not None and draft.lesson_id not in self.lessons:
            problems.append(_("lesson_id: there is no lesson %s") % draft.lesson_id)
        if problems:
            raise Unfit("; ".join(problems))
        title = self.courses.get(draft.course_id) or self.lessons.get(draft.lesson_id)
        return NewPayment(
            payer_id=self.users[draft.user],
            course_id=draft.course_id,
            lesson_id=draft.lesson_id,
            title=draft.title or title or "",
            amount=draft.amount,
            currency=draft.currency,
            method=draft.method,
            status=draft.status,
            paid_at=draft.paid_at,
            created_at=draft.created_at or draft.paid_at or at,
            external_id=draft.external_id,
        )

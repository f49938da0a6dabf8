"""What the rows of an import refer to: people, courses, lessons, and what is in the book already."""

import sqlite3
from collections.abc import Collection, Iterator
from datetime import UTC
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import Max
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from lms.models import Course, Lesson
from payments.columns import read_exported_id
from payments.models import Payment
from payments.services.importing.rows import Draft, Row
from payments.services.importing.values import Unfit
from payments.services.transitions import NewPayment
from project.school.current import current_school

# So many people, courses and lessons are remembered while a file is gone through.
MOST_REMEMBERED = 50_000


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

    def claim(self, external_id: str, row: Row) -> None:
        """Raises Unfit if an earlier row has the id."""
        claimed = self.database.execute(
            "INSERT OR IGNORE INTO row VALUES (?, ?)", (external_id, row.place)
        )
        if not claimed.rowcount:
            where = "SELECT number FROM row WHERE external_id = ?"
            [first] = self.database.execute(where, (external_id,)).fetchone()
            message = _("row %(number)s already has %(external_id)s")
            if row.line is not None:
                message = _("line %(number)s already has %(external_id)s")
            message %= {"number": first, "external_id": external_id}
            raise Unfit(row.about("external_id", message))

    def close(self) -> None:
        self.database.close()


class Known(NamedTuple):
    """A payment that is in the book: what never changes of it, and how it stands."""

    payer_id: int
    course_id: int | None
    lesson_id: int | None
    amount: Decimal
    currency: str
    status: str
    refunded_amount: Decimal


class Unknown(NamedTuple):
    """What rows name and is not here: the column, and what stands there."""

    column: str
    name: int | str


class References:
    """Each kind of what a batch refers to is read in one query, and what earlier batches asked for is
    not read again."""

    def __init__(self) -> None:
        # By what a file calls them: an id, or an e-mail as mailboxes are compared.
        self.users: dict[int | str, int] = {}
        self.courses: dict[int | None, str] = {}
        self.lessons: dict[int | None, str] = {}
        self.payments: dict[str | None, Known] = {}
        # The number of the last payment that was here before.
        self.newest: int = Payment.objects.aggregate(last=Max("pk"))["last"] or 0

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
        self._read_payments({draft.external_id for draft in drafts})

    def _read_payments(self, external_ids: Collection[str]) -> None:
        known = Payment.objects.filter(external_id__in=external_ids)
        rows = known.values_list("external_id", *Known._fields)
        self.payments = {name: Known(*facts) for name, *facts in rows}
        exported = {
            found: name for name in external_ids if (found := read_exported_id(name)) is not None
        }
        if not exported:
            return
        # Numbers that this school gave are of this school only if the payment is as old.
        own = Payment.objects.filter(pk__in={number for number, _second in exported})
        for number, created_at, *facts in own.values_list("pk", "created_at", *Known._fields):
            second = created_at.astimezone(UTC).replace(microsecond=0)
            if name := exported.get((number, second)):
                self.payments.setdefault(name, Known(*facts))

    def alike(self, payments: Collection[NewPayment]) -> Iterator[int]:
        """Numbers of payments that may be these under other external ids: each of the same person for
        the same thing, of the same amount and day."""
        paid = [payment for payment in payments if payment.paid_at is not None]
        if not paid or not self.newest:
            return
        here = Payment.objects.filter(
            pk__lte=self.newest,
            paid_at__isnull=False,
            payer__in={payment.payer_id for payment in paid},
        )
        numbers = {_facts(known): known.pk for known in here.only(*FACTS).order_by("-pk")}
        for payment in paid:
            if number := numbers.get(_facts(payment)):
                yield number

    def known(self, draft: Draft) -> Known | None:
        """The payment that the row is about, if it is in the book. Raises Unfit if that one has other
        facts."""
        known = self.payments.get(draft.external_id)
        if known is None:
            return None
        # The e-mail of somebody whose account was erased meanwhile leads nowhere any more.
        payer_id = self.users.get(draft.user, known.payer_id)
        target = (draft.course_id, draft.lesson_id)
        if known[1:3] == (None, None):  # deleted since
            target = (None, None)
        if known[:5] != (payer_id, *target, draft.amount, draft.currency):
            message = _("%s is already recorded with a different person, item or amount")
            raise Unfit(draft.row.about("external_id", message % draft.external_id))
        return known

    def unknown(self, draft: Draft) -> list[Unknown]:
        """What the row names and is not here."""
        found = []
        if draft.user not in self.users:
            found.append(Unknown("user", draft.user))
        if draft.course_id is not None and draft.course_id not in self.courses:
            found.append(Unknown("course_id", draft.course_id))
        if draft.lesson_id is not None and draft.lesson_id not in self.lessons:
            found.append(Unknown("lesson_id", draft.lesson_id))
        return found

    def title(self, draft: Draft) -> str:
        """What the payment is for, as it is called now."""
        of_lesson = self.lessons.get(draft.lesson_id, "")
        return self.courses.get(draft.course_id, of_lesson)


FACTS = ("payer_id", "course_id", "lesson_id", "amount", "currency", "paid_at")


def _facts(payment: Payment | NewPayment) -> tuple[object, ...]:
    """What two payments that are one have in common; `paid_at` by its day."""
    *facts, paid_at = attrgetter(*FACTS)(payment)
    return (*facts, paid_at.astimezone(current_school().zone).date())

"""Loading payments from other books: all of a file or nothing."""

import itertools
from collections.abc import Iterable
from contextlib import closing
from datetime import date, datetime, time
from functools import cached_property

from django.conf import settings
from django.db import IntegrityError, reset_queries, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy

from payments.columns import Movement
from payments.models import ClosedMonth, MoveSource, PaymentStatus
from payments.services.importing.references import ExternalIds, References
from payments.services.importing.report import ImportReport
from payments.services.importing.rows import Draft, Row, read_row
from payments.services.importing.values import Unfit, other_currency
from payments.services.transitions import Cause, MovedBack, NewPayment, insert_payments
from people.models import User
from project.common.db.bulk import many_writes
from project.common.errors import Conflict
from project.school.current import current_school

BATCH_SIZE = 1000


class PaymentsChanged(Conflict):
    code = "book_changed"
    message = gettext_lazy(
        "The payments changed while the file was being loaded, so nothing was loaded. Try again."
    )


def import_payments(
    *, rows: Iterable[Row], by: User | None = None, at: datetime | None = None
) -> ImportReport:
    """Load all rows in one transaction, or none if one of them is bad; paid ones give access.

    A row whose `external_id` is in the book already changes nothing: a payment lives on here after
    it was imported. Raises PaymentsChanged if somebody else loaded the same rows meanwhile.
    """
    try:
        with many_writes(), transaction.atomic():
            report = _Import(Cause(source=MoveSource.IMPORT, by=by), at).go_through(rows)
            transaction.set_rollback(report.is_refused)
    except IntegrityError:
        raise PaymentsChanged from None
    return report


def check_rows(*, rows: Iterable[Row]) -> ImportReport:
    """Say what `import_payments` would do with the rows; write nothing."""
    return _Import().go_through(rows)


class _Import:
    """The rows of a file, checked one after another, and with a cause put into the book as long as
    none is bad."""

    def __init__(self, cause: Cause | None = None, at: datetime | None = None) -> None:
        self.cause = cause
        self.at = at or timezone.now()
        self.zone = current_school().zone
        self.midnight = datetime.combine(self.at.astimezone(self.zone).date(), time(), self.zone)
        self.report = ImportReport()
        self.references = References()

    def go_through(self, rows: Iterable[Row]) -> ImportReport:
        report = self.report
        with closing(ExternalIds()) as external_ids:
            for batch in itertools.batched(rows, BATCH_SIZE):
                payments = self._new_payments(batch, external_ids)
                if self.cause and not report.is_refused:
                    insert_payments(payments=payments, cause=self.cause)
                # With DEBUG Django remembers every query, and here they are large.
                reset_queries()
        return report

    def _new_payments(self, batch: Iterable[Row], external_ids: ExternalIds) -> list[NewPayment]:
        """Return those of the batch; note in the report what else there is in it."""
        report, drafts, payments = self.report, [], []
        for row in batch:
            try:
                draft = read_row(row, self.at)
                external_ids.claim(draft.external_id, row)
            except Unfit as unfit:
                report.refuse(row, unfit)
                continue
            if draft.is_open_at_stripe:
                report.left_out += 1
            else:
                drafts.append(draft)
        self.references.read(drafts)
        for draft in drafts:
            try:
                here = self.references.known(draft)
            except Unfit as unfit:
                report.refuse(draft.row, unfit)
                continue
            if here is not None:
                report.compare(draft, here)
            elif unknown := self.references.unknown(draft):
                report.note_unknown(draft.row, unknown)
            elif draft.currency != settings.CURRENCY:
                reason = str(other_currency(draft.currency))
                report.refuse(draft.row, Unfit(draft.row.about("currency", reason)))
            else:
                payment = self._new_payment(draft)
                payments.append(payment)
                report.add(payment, draft.row, self.references.title(draft))
                if payment.paid_at is not None and payment.paid_at < self.open_from:
                    report.in_closed_months += 1
        report.note_alike(self.references.alike(payments))
        report.sort()
        return payments

    def _new_payment(self, draft: Draft) -> NewPayment:
        paid_at = draft.paid_at and self._moment(draft.paid_at)
        refunds = [self._moved_back(refund, paid_at) for refund in draft.refunds or ()]
        if draft.status == PaymentStatus.REFUNDED and draft.amount and not refunds:
            # Nothing says when, and the month of the import has nothing to do with it.
            refunds = [MovedBack(draft.amount, paid_at or self.at)]
        return NewPayment(
            payer_id=self.references.users[draft.user],
            course_id=draft.course_id,
            lesson_id=draft.lesson_id,
            title=draft.title or self.references.title(draft),
            amount=draft.amount,
            currency=draft.currency,
            method=draft.method,
            status=draft.status,
            paid_at=paid_at,
            created_at=draft.created_at or paid_at or self.at,
            external_id=draft.external_id,
            bank_reference=draft.bank_reference or "",
            refunds=refunds,
            disputes=[self._moved_back(dispute, paid_at) for dispute in draft.disputes or ()],
        )

    @cached_property
    def open_from(self) -> datetime:
        """When the first open month begins."""
        self.report.first_open = ClosedMonth.objects.first_open()
        return datetime.combine(self.report.first_open or date.min, time(), self.zone)

    def _moved_back(self, movement: Movement, paid_at: datetime | None) -> MovedBack:
        at = self._moment(datetime.combine(movement.day, time(), self.zone))
        if paid_at is not None and paid_at.astimezone(self.zone).date() == movement.day:
            at = max(at, paid_at)
        return MovedBack(movement.amount, at, movement.ends_access)

    def _moment(self, at: datetime) -> datetime:
        """When it was: now, if all that is known is that it was today."""
        return self.at if at == self.midnight else at

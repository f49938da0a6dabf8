"""Django's `loaddata`, which names what a fixture needs first, writes over nothing of a school, and gives
what the payments of a fixture paid for."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.management import CommandError
from django.core.management.commands import loaddata
from django.core.serializers.base import DeserializationError
from django.db import IntegrityError
from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lms.models import Access
from payments.models import ClosedMonth, FindingKind, LedgerEntry, Payment
from payments.services import books
from people.models import User
from project.school.models import School

SCHOOL = {"lms", "payments"}
COMPLETED = {FindingKind.PAID_WITHOUT_ACCESS, FindingKind.LEDGER_DIFFERS}


class Command(loaddata.Command):
    def handle(self, *fixture_labels: str, **options: Any) -> None:
        self.loaded: dict[type[Model], set[Any]] = defaultdict(set)
        self.named: dict[type[Model], set[Any]] = defaultdict(set)
        self.named_by_key: set[tuple[type[Model], tuple[Any, ...]]] = set()
        self.is_incomplete = False
        self.closed = set(ClosedMonth.objects.values_list("pk", flat=True))
        try:
            super().handle(*fixture_labels, **options)
        except (IntegrityError, DeserializationError) as error:
            if lacking := self._lacking():
                message = _(
                    "The fixture needs what is not there: %(lacking)s. Nothing was loaded. Load that first: what Parta's own fixtures need is in `loaddata groups demo`."
                )
                raise CommandError(message % {"lacking": ", ".join(lacking)}) from error
            raise

    def loaddata(self, fixture_labels: Sequence[str]) -> None:
        super().loaddata(fixture_labels)
        if self.is_incomplete:
            raise DeserializationError
        if self.loaded[Payment]:
            self._complete(self.loaded[Payment])

    def save_obj(self, obj: Any) -> bool:
        row = obj.object
        for field, value in (obj.deferred_fields or {}).items():
            keys = value if field.many_to_many else [value]
            named = {tuple(key) for key in keys if isinstance(key, list)}
            self.named_by_key |= {(field.related_model, key) for key in named}
            # What the others lack is to be named as well.
            self.is_incomplete |= not (field.many_to_many or field.null)
        if row._meta.app_label in SCHOOL:
            for field in row._meta.concrete_fields:
                if field.remote_field and (value := getattr(row, field.attname)) is not None:
                    self.named[field.related_model].add(value)
        if row.pk is not None and (row._meta.app_label in SCHOOL or isinstance(row, User | School)):
            _look_at_what_is_there(row)
        if isinstance(row, LedgerEntry) and row.closed_in_id in self.closed:
            _require_stamped(row)
        is_saved: bool = not self.is_incomplete and super().save_obj(obj)
        if is_saved:
            self.loaded[type(row)].add(row.pk)
        return is_saved

    def _complete(self, loaded: set[int]) -> None:
        """Give the access of what is paid, and post what the fixture has no entries of."""
        payments = Payment.objects.filter(pk__range=(min(loaded), max(loaded)))
        scope = books.Scope(payments, Access.objects.none())
        given = 0
        for found in list(books.find_in_books(scope)):
            if found.kind in COMPLETED and found.repair:
                found.repair()
                given += found.kind == FindingKind.PAID_WITHOUT_ACCESS
        if given and self.verbosity > 0:
            message = ngettext(
                "%(count)s access was given for what is paid.",
                "%(count)s accesses were given for what is paid.",
                given,
            )
            self.stdout.write(message % {"count": given})

    def _lacking(self) -> list[str]:
        """What the fixture names and neither brings nor finds in the database."""
        lacking = []
        for model, key in self.named_by_key:
            try:
                model._default_manager.get_by_natural_key(*key)  # type: ignore[attr-defined]  # noqa: SLF001
            except model.DoesNotExist:  # type: ignore[attr-defined]
                lacking.append(_name(model, " ".join(map(str, key))))
        for model, numbers in self.named.items():
            there = model._base_manager.filter(pk__in=numbers).values_list("pk", flat=True)  # noqa: SLF001
            missing = numbers - self.loaded[model] - set(there)
            lacking += [_name(model, number) for number in missing]
        return sorted(lacking)


def _look_at_what_is_there(row: Model) -> None:
    """A number that something else has here is a fixture of another school; a payment is never edited;
    and who has a password keeps it, as fixtures hold none."""
    there = type(row)._base_manager.filter(pk=row.pk).first()  # noqa: SLF001
    if there is None:
        return
    if isinstance(row, User) and isinstance(there, User):
        if not row.has_usable_password():
            row.password = there.password
        return
    kept = [field.attname for field in row._meta.concrete_fields if field.remote_field]
    kept += ["status"] if isinstance(row, Payment) else []
    if isinstance(row, School):  # all that a school says of itself
        kept = [field.attname for field in row._meta.concrete_fields]
    if isinstance(row, LedgerEntry):
        kept += ["kind", "method", "currency", "amount", "day"]
    if isinstance(row, ClosedMonth):
        kept += ["month", "sums"]
    if any(getattr(row, name) != getattr(there, name) for name in kept):
        message = _("%(row)s is another one here (%(text)s). Nothing was loaded.")
        raise CommandError(message % {"row": _name(type(row), row.pk), "text": there})


def _require_stamped(row: LedgerEntry) -> None:
    """A month that is closed here takes no entries of others."""
    if not LedgerEntry.objects.filter(pk=row.pk).exists():
        message = _("%(month)s is closed here, and takes no more entries. Nothing was loaded.")
        raise CommandError(message % {"month": row.closed_in})


def _name(model: type[Model], number: object) -> str:
    return f"{model._meta.verbose_name} {number}"

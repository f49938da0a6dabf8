"""What the erasure does beyond the account itself, table by table as the registry says."""

from datetime import timedelta

from django.db.models import Case, F, TextField, Value, When
from django.db.models.functions import Concat, Left, StrIndex
from django.utils import timezone

from people.models import BlockReason, User
from people.personal_data.fates import names
from people.personal_data.log import entries_about
from people.personal_data.registry import TOUCHED
from people.services.sessions import end_browser_sessions

# What staff did is a list of what was said and typed (`project/common/admin/log.py`); before, it was
# `Block: why`, in the words of whoever did it. What a form changed is a list of fields, with the names of
# rows only where other rows were on the page.
TYPED = Value(', "typed": ')
ACTION_ALONE = Case(
    When(
        change_message__startswith='[{"said"',
        then=Concat(
            Left("change_message", StrIndex("change_message", TYPED) - 1), Value(', "typed": ""}]')
        ),
    ),
    When(change_message__startswith="[", change_message__contains='"object"', then=Value("")),
    When(change_message__startswith="[", then=F("change_message")),
    When(
        change_message__contains=": ",
        then=Left("change_message", StrIndex("change_message", Value(": ")) - 1),
    ),
    default=F("change_message"),
    output_field=TextField(),
)

# A night that nothing runs in is made up for by the next one.
LATELY = timedelta(days=3)


def erase_traces(user: User) -> None:
    """Delete and empty what is kept of a person outside of the account, in the caller's transaction."""
    # While it is known which rows are theirs. Some are called by their person.
    entries_about(user.pk).update(object_repr=F("object_id"), change_message=ACTION_ALONE)
    for table in TOUCHED:
        rows = table.rows_of(user.pk).filter(**table.where)
        if table.deleted:
            rows.delete()
        elif table.model != User._meta.label:  # `User.erase`
            rows.update(**{name: _dash(name) for name in names(table.erased)})
    end_browser_sessions(user)


def erase_late_traces() -> int:
    """Delete what a worker wrote down while an account was erased, as the answer of the mail server to
    a mail that was on its way; return of how many accounts."""
    lately = timezone.now() - LATELY
    erased = list(User.objects.filter(blocked_reason=BlockReason.ERASED, blocked_at__gte=lately))
    for user in erased:
        for table in TOUCHED:
            if table.deleted:
                table.rows_of(user.pk).delete()
    return len(erased)


def _dash(column: str) -> Case:
    """What stays of a text: some must not be empty."""
    return Case(When(**{column: ""}, then=Value("")), default=Value("—"))

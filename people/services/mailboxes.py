"""Accounts whose address is in no form that we would keep (docs/rules.md, 2.2): those from before
there was one form, and those that the release before wrote while it ran beside this one."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower

from people.models import User
from project.common.db.search import contains
from project.common.db.searched import normalised
from project.common.mailboxes import canonical, compared

if TYPE_CHECKING:
    People = QuerySet[Any]

BATCH = 1000

type Accounts = dict[int, str]  # an address by the number of its account


def bring_into_form(people: "People") -> list[Accounts]:
    """Give the accounts the one form of their address; return those that share a mailbox, mailbox by
    mailbox, which stay as they are.

    `people` may be those of a migration, which know nothing of our fields. Stopped half-way, it may
    be run again.
    """
    for mailboxes in itertools.batched(_mailboxes(people), BATCH):
        with transaction.atomic(using=people.db):
            for accounts in mailboxes:
                if len(accounts) == 1:
                    _rewrite(people, *accounts)
    return [accounts for accounts in _mailboxes(people) if len(accounts) > 1]


def spelled_for_servers() -> int:
    """How many accounts have an address of the kind that most of these are. No new one is."""
    rows = User.objects.filter(contains("xn--", "searched_by_staff"), email__contains="xn--")
    return sum(email != canonical(email) for email in rows.values_list("email", flat=True))


def told(accounts: Accounts) -> str:
    """Say which accounts share a mailbox."""
    names = ", ".join(f"{email} (number {pk})" for pk, email in sorted(accounts.items()))
    return f"One mailbox, {len(accounts)} accounts: {names}"


def _mailboxes(people: "People") -> Iterator[Accounts]:
    """Those of the accounts that are not in the form, each with all of its accounts."""
    formless: dict[str, Accounts] = {}
    rows = people.order_by("pk").values_list("pk", "email")
    for pk, email in rows.iterator(chunk_size=10 * BATCH):
        if email != canonical(email):
            formless.setdefault(compared(email), {})[pk] = email
    for keys in itertools.batched(formless, BATCH):
        keyed = people.annotate(mailbox=Lower("email")).filter(mailbox__in=keys)
        for mailbox, pk, email in keyed.values_list("mailbox", "pk", "email"):
            formless[mailbox][pk] = email
        yield from (formless[key] for key in keys)


def _rewrite(people: "People", pk: int) -> None:
    """Give an account its address in the form, unless another one has got it meanwhile."""
    row = people.select_for_update().get(pk=pk)
    row.email = canonical(row.email)
    row.searched_by_staff = normalised(f"{row.last_name}\n{row.email}")
    with suppress(IntegrityError), transaction.atomic(using=people.db):
        row.save(update_fields=["email", "searched_by_staff"])

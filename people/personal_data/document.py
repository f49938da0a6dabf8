"""The registry as a document, for the data-protection officer of a school."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Field
from django.utils.text import capfirst
from django.utils.translation import override

from people.personal_data.fates import Table, names
from people.personal_data.registry import REGISTRY

OPENING = """\
# What is known of a person

Which data Parta keeps about people, what a person gets who asks for theirs, and what is left after an erasure. `uv run
manage.py personal_data docs/personal-data.md` writes this page from `people/personal_data/registry.py`, and a test fails
when a column of the database is missing there.

- **The export** (`POST users/me/export`, or *Export data* on a person's page of the admin) is a ZIP with one
  JSON file for each table below, and the pictures. It is linked by mail and deleted after seven days.
- **The erasure** (`DELETE users/{id}`, or *Erase personal data* on a person's page of the admin) does at once what stands
  below. An account without a name stays, because payments and courses belong to it.

Tables of payments that staff upload lie beside the exports for a day, and pictures that they choose in a form until it
is saved, for a day at most. Pictures go with what they belong to.

Not in the database, and a matter of the school:

- Backups hold what was erased since, for as long as they are kept. Erase again after putting one back.
- The files of the database hold what was deleted until its place is written over (`VACUUM` makes it so).
- Stripe keeps what buyers typed on its page, with the email that Parta gave it: Stripe has a form for erasures.
- The mail server has a log of its own.
- Texts of a course, and what staff type into the reason of an action about somebody else, may name a person. Nothing finds
  these.

Logs name neither people nor addresses, except for the IP address of each log-in.
"""


def document() -> str:
    with override("en"):
        return "\n".join([OPENING, *(line for table in REGISTRY for line in _section(table))])


def _section(table: Table) -> Iterator[str]:
    meta = table.get_model()._meta
    yield f"## {capfirst(meta.verbose_name_plural)} (`{table.model}`)\n"
    if table.exported:
        yield f"- In the export, as `{table.file}.json`: {_listed(table, table.exported)}."
    if table.deleted:
        yield f"- Deleted by the erasure: {_listed(table, names(table.deleted))}."
    if table.erased:
        yield f"- Emptied by the erasure, where there is a text with a dash: {_listed(table, names(table.erased))}."
    for why, text in table.kept.items():
        yield f"- Kept {why.how_long}, because {why.because}: {_listed(table, names(text))}."
    for because, text in table.nothing.items():
        yield f"- Nothing personal ({because}): {_listed(table, names(text))}."
    if table.forgotten:
        yield f"- Forgotten {table.forgotten}."
    yield ""


def _listed(table: Table, columns: list[str]) -> str:
    meta = table.get_model()._meta
    fields: list[Field[Any, Any]] = [meta.get_field(name) for name in columns]  # type: ignore[misc]
    return ", ".join(str(field.verbose_name) for field in fields)

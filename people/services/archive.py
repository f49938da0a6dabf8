"""What an export holds: one JSON file for each table that the registry names, and the pictures."""

from collections.abc import Iterator
from itertools import chain
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from django.contrib.admin.models import LogEntry
from django.core.files.storage import default_storage
from django.db.models import F, FileField
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import override
from orjson import OPT_UTC_Z, dumps

from people.models import User
from people.personal_data.fates import Table
from people.personal_data.log import entries_about
from people.personal_data.registry import REGISTRY
from project.common.admin.log import message_of
from project.school.current import current_school

# Rows that are in memory at once.
PAGE = 2000
# What tells a reader which row a number means.
TITLES = ("title", "name")


def write_archive(user: User, file: IO[bytes]) -> None:
    """Write all that is kept of a person, in their language, however much it is."""
    with override(user.language), ZipFile(file, "w", ZIP_DEFLATED) as archive:
        written = [
            table for table in REGISTRY if table.exported and _write_table(archive, table, user)
        ]
        archive.writestr(_entry("README.txt"), _read_me(written))


def _read_me(tables: list[Table]) -> str:
    """Say what is in which file."""
    school = current_school()
    now = timezone.localtime(timezone=school.zone)
    intro = _(
        "All that %(school)s keeps about you, as of %(date)s. Each file is a list in JSON, which any "
        "text editor opens; the pictures are in their own folder."
    ) % {"school": school.name, "date": f"{now:%Y-%m-%d %H:%M %Z}"}
    lines = (f"{table.file}.json: {_title(table)}" for table in tables)
    return "\n".join([intro, "", *lines, ""])


def _title(table: Table) -> str:
    model = table.get_model()
    if model is User:
        return _("Your account")
    if model._meta.auto_created:  # it has no name but that of what it leads to
        model = model._meta.get_field(table.exported[0]).related_model or model
    return capfirst(str(model._meta.verbose_name_plural))


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, date_time=timezone.localtime().timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


def _write_table(archive: ZipFile, table: Table, user: User) -> bool:
    """Returns False, and writes nothing, if there are no rows."""
    files = [
        field.name
        for field in table.get_model()._meta.concrete_fields
        if isinstance(field, FileField) and field.name in table.exported
    ]
    rows = _rows(table, user)
    if (first := next(rows, None)) is None:
        return False
    pictures = []
    with archive.open(_entry(f"{table.file}.json"), "w", force_zip64=True) as entry:
        separator = b"[\n"
        for row in chain([first], rows):
            for name in filter(row.get, files):
                pictures.append(row[name])
                row[name] = f"pictures/{row[name]}"
            entry.write(separator + dumps(row, default=str, option=OPT_UTC_Z))
            separator = b",\n"
        entry.write(b"\n]\n")
    for name in pictures:
        if default_storage.exists(name):
            with default_storage.open(name) as picture:
                archive.writestr(_entry(f"pictures/{name}"), picture.read(), ZIP_STORED)
    return True


def _rows(table: Table, user: User) -> Iterator[dict[str, Any]]:
    """The rows of a person in the order of their keys, a page at a time."""
    rows = table.rows_of(user.pk) if table.of else entries_about(user.pk)
    rows = rows.order_by("pk").values("pk", *table.exported, **_titles(table))
    page = list(rows[:PAGE])
    while page:
        last = page[-1]["pk"]
        for row in page:
            if told := row.get("change_message"):
                row["change_message"] = message_of(LogEntry(change_message=told))
            yield row
        page = list(rows.filter(pk__gt=last)[:PAGE])


def _titles(table: Table) -> dict[str, F]:
    """Columns beside those that only hold the number of another row."""
    titles = {}
    for name in table.exported:
        related = table.get_model()._meta.get_field(name).related_model
        for title in TITLES:
            if isinstance(related, type) and title in {f.name for f in related._meta.fields}:
                titles[f"{name}_{title}"] = F(f"{name}__{title}")
    return titles

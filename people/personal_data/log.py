"""What the log of the admin says about a person: about any row that is theirs."""

from functools import reduce
from operator import or_

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from people.personal_data.fates import Table
from people.personal_data.registry import TOUCHED


def entries_about(person_id: int) -> QuerySet[LogEntry]:
    """Of courses and lessons, which stay as they are, there is nothing about their author."""
    return LogEntry.objects.filter(reduce(or_, (_rows(table, person_id) for table in TOUCHED)))


def _rows(table: Table, person_id: int) -> Q:
    keys = table.rows_of(person_id).annotate(number=Cast("pk", TextField())).values("number")
    kind = ContentType.objects.get_for_model(table.get_model())
    return Q(content_type=kind, object_id__in=keys)

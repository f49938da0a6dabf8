"""Searching text as people expect it: any letter case, in Russian too."""

import re

from django.db import connection
from django.db.models import Q


def contains(text: str, *fields: str) -> Q:
    """Match rows with `text` in one of the fields. SQLite's LIKE knows the case of Latin letters
    only, its REGEXP (Python's) of all."""
    lookup, value = ("iregex", re.escape(text)) if _on_sqlite() else ("icontains", text)
    condition = Q()
    for field in fields:
        condition |= Q(**{f"{field}__{lookup}": value})
    return condition


def as_searched(text: str) -> str:
    """The parameter that `contains` gives to the database for `text`."""
    if _on_sqlite():
        return re.escape(text)
    return f"%{connection.ops.prep_for_like_query(text)}%"


def _on_sqlite() -> bool:
    return connection.vendor == "sqlite"

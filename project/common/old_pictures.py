"""Pictures from before there were renditions and thumbnails become such, a few at a time."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ImageField, Q, QuerySet

from project.common.images import (
    SIZE,
    PicturesBusy,
    clean_image,
    discard_file,
    random_name,
    sizes_in,
    stored_image,
)

logger = logging.getLogger(__name__)


class Conversion(NamedTuple):
    converted: int
    # Where to go on: the number of the field and the key of the row before; None at the end.
    rest: tuple[int, int] | None


class _Replaced(Exception):
    """Somebody put another picture there meanwhile."""


def convert_pictures(*, seconds: float, field: int = 0, after: int = 0) -> Conversion:
    """Convert pictures until the time is up, beginning in this field after the row with this key.
    One whose file is missing or broken stays as it is, and is shown as none."""
    ends = monotonic() + seconds
    converted = 0
    for number, (rows, name) in enumerate(_fields()):
        if number < field:
            continue
        for row in rows.filter(pk__gt=after if number == field else 0).iterator(chunk_size=100):
            if monotonic() > ends:
                return Conversion(converted, (number, row.pk - 1))
            converted += _convert(row, name)
    return Conversion(converted, None)


def _fields() -> Iterator[tuple[QuerySet[Any], str]]:
    """The rows with a picture that is not yet converted, for each field of each model."""
    for model in apps.get_models():
        for field in model._meta.fields:
            if isinstance(field, ImageField) and isinstance(field.upload_to, random_name):
                old = ~Q(**{field.name: ""}) & ~Q(**{f"{field.name}__regex": SIZE.pattern})
                rows = model._base_manager.filter(old).order_by("pk")  # noqa: SLF001 - documented
                yield rows, field.name


def _convert(row: Any, name: str) -> bool:
    file = getattr(row, name)
    old = str(file.name)
    try:
        with file.open("rb") as content:
            picture = clean_image(content, sizes_in(old))
    except (OSError, ValidationError, PicturesBusy) as error:
        logger.warning("The picture %s of %s is not converted: %r", old, row._meta.label, error)
        return False
    # Past the history and the time of the last change: nobody edited anything.
    rows = type(row)._base_manager.filter(pk=row.pk, **{name: old})  # noqa: SLF001 - documented
    with suppress(_Replaced), stored_image(row, name, picture) as new, transaction.atomic():
        if not rows.update(**{name: new}):
            raise _Replaced
        discard_file(file)
        return True
    return False

"""What a row is called where the grammar of a language asks for more than the name of its model.

The forms are texts of the catalogue like any others: `update_translations` asks for them of each
model that the admin knows (`project/translations.py`: `extract_messages`).
"""

from typing import TYPE_CHECKING, Any

from django.utils.translation import npgettext, override, pgettext

if TYPE_CHECKING:
    from django.db.models.options import Options

ACCUSATIVE, COUNTED = "accusative", "counted"


def names_of(opts: "Options[Any]") -> tuple[str, str]:
    """Of one and of many, as the code has them."""
    with override(None):
        return str(opts.verbose_name), str(opts.verbose_name_plural)


def accusative(opts: "Options[Any]") -> str:
    """What is added or changed: “добавить человека”."""
    return pgettext(ACCUSATIVE, names_of(opts)[0])


def counted(opts: "Options[Any]", number: int) -> str:
    """“1 человек”, “5 человек”."""
    return f"{number} {npgettext(COUNTED, *names_of(opts), number)}"

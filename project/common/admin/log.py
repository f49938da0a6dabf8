"""What the log of the admin says of an action: the texts of ours are kept as the catalogue knows them and
said in the language of who reads them; what people typed stays as it was typed."""

import json
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import LogEntry
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

SAID, TYPED = "said", "typed"


def noted(text: "StrOrPromise", typed: str = "") -> dict[str, Any]:
    """A part of a message, beside those that Django knows; `text` is lazy."""
    # Its context, if it has one, and the text: what `gettext_lazy` was given.
    given = text.__reduce__()[1][1] if isinstance(text, Promise) else (text,)  # type: ignore[misc]
    return {SAID: given, TYPED: typed}


def _in_words(part: dict[str, Any]) -> str:
    given = part[SAID]
    said = pgettext(*given) if len(given) > 1 else gettext(*given)
    return capfirst(": ".join(filter(None, [said, part[TYPED]])))


def message_of(entry: LogEntry) -> str:
    try:
        parts = json.loads(entry.change_message)
        return "; ".join(map(_in_words, parts))
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ):  # Django's own, or of earlier releases
        return _django_message_of(entry)


# Django has no other way to say it in other words.
_django_message_of = LogEntry.get_change_message
LogEntry.get_change_message = message_of  # type: ignore[method-assign,assignment]

"""Changes of materials as people read them: names, words, and what was struck out or added."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher

from django.conf import settings
from django.db.models import CharField, FileField, TextField, URLField
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lms.history import LESSONS, Change, Plain
from lms.models import Course, Lesson
from people.models import User
from project.common.money import price_shown

# Of what was created or deleted these say nothing without their surroundings.
ONLY_CHANGED = frozenset({"course_id", "is_published", "is_preview", "preview"})
KINDS = {
    "created": gettext_lazy("Created"),
    "changed": gettext_lazy("Changed"),
    "deleted": gettext_lazy("Deleted"),
}
# Comparing word by word takes time; in a longer text lines are compared.
WORD_BY_WORD = 4_000
# Of a longer stretch that stayed the same, only the ends are shown.
CONTEXT = 80


@dataclass(frozen=True)
class Difference:
    """One field of a change, ready to be shown."""

    label: str
    text: SafeString


def differences(change: Change, called: Callable[[User | None], str] = str) -> list[Difference]:
    """All fields of a change; of what was created or deleted, only those with something in them. An
    author is `called` as the reader may know them."""
    model = Lesson if change.lesson_id else Course
    told = change.fields
    if change.kind != "changed":
        told = [one for one in told if one.name not in ONLY_CHANGED and (one.before or one.after)]
    shown = []
    for one in told:
        if one.name == LESSONS:
            text = marked(_words(one.name, one.before), _words(one.name, one.after))
            shown.append(Difference(_("Order of lessons"), text))
            continue
        field = model._meta.get_field(one.name.removesuffix("_id"))
        before, after = _words(one.name, one.before), _words(one.name, one.after)
        if one.name == "owner_id":
            people = User.objects.in_bulk([one.before, one.after])
            before, after = called(people.get(one.before)), called(people.get(one.after))
        if isinstance(field, FileField):
            words = _("replaced") if before and after else _("added") if after else _("removed")
            text = format_html("{}", words)
        elif isinstance(field, CharField | TextField) and not isinstance(field, URLField):
            text = marked(before, after)
        else:
            text = _struck(before) + mark_safe(" ") + _added(after)
        shown.append(Difference(str(getattr(field, "verbose_name", one.name)), text))
    return shown


def _words(name: str, value: Plain) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Decimal):
        return price_shown(value, settings.CURRENCY)
    return str(value)


def marked(before: str, after: str) -> SafeString:
    """Return the text with what was struck out and what was added, long same parts cut short."""
    pieces = re.compile(
        r"\s+|\w+|[^\w\s]" if max(len(before), len(after)) < WORD_BY_WORD else r".*\n?"
    )
    old, new = pieces.findall(before), pieces.findall(after)
    parts: list[str] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        text = "".join(old[old_from:old_to])
        if kind != "equal":
            parts += [_struck(text), _added("".join(new[new_from:new_to]))]
        elif len(text) <= 3 * CONTEXT:
            parts.append(text)
        else:
            parts.append(f"{text[:CONTEXT]} … {text[-CONTEXT:]}")
    return format_html_join("", "{}", ((part,) for part in parts))


def _struck(text: str) -> SafeString:
    return format_html("<del>{}</del>", text) if text else SafeString()


def _added(text: str) -> SafeString:
    return format_html("<ins>{}</ins>", text) if text else SafeString()

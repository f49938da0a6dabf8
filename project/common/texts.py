"""Rules for short texts that people type, and that stand in mails and headers."""

import re
import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from project.common.links import INVISIBLE

# What one may write to one person.
SUBJECT_LENGTH = 150
TEXT_LENGTH = 5000
# They make what follows look like something else: `\u202emoc.live` is read as `evil.com`.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")

# What no single line has, for databases: line breaks, tabs and other control characters.
NO_LINE = r"[\u0001-\u001f\u007f-\u009f\u2028\u2029]"


def validate_one_line(value: str) -> None:
    """Refuse more than one line, and what can't be displayed."""
    if value.splitlines() not in ([], [value]):
        raise ValidationError(_("This must be a single line."), code="several_lines")
    if TURNING.search(value) or any(unicodedata.category(one) == "Cc" for one in value):
        raise ValidationError(
            _("This text contains characters that can't be displayed."), code="control_character"
        )


def one_line(text: str) -> str:
    """Return a text that people wrote as a field shows it: white space of any kind is one space;
    other control characters, marks that turn what follows, and halves of characters are left out. One of
    which nothing can be seen is empty."""
    kept = (
        one
        for one in TURNING.sub("", text)
        if one.isspace() or unicodedata.category(one) not in {"Cc", "Cs"}
    )
    line = " ".join("".join(kept).split())
    return line if INVISIBLE.sub("", line).strip() else ""


class LineField(forms.CharField):
    """Takes the text as one line. What nothing is left of is empty."""

    def to_python(self, value: Any) -> str:
        return one_line(super().to_python(value) or "")

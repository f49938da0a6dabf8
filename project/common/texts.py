"""Rules for short texts that people type, and that stand in mails and headers."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# They make what follows look like something else: `\u202emoc.live` is read as `evil.com`.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def validate_one_line(value: str) -> None:
    """Refuse more than one line, and what can't be displayed."""
    if value.splitlines() not in ([], [value]):
        raise ValidationError(_("This must be a single line."), code="several_lines")
    if TURNING.search(value) or any(unicodedata.category(one) == "Cc" for one in value):
        raise ValidationError(
            _("This text contains characters that can't be displayed."), code="control_character"
        )

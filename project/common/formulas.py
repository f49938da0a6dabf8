"""Text of other people in a table: a spreadsheet must not take it for a formula.

An apostrophe before it keeps a spreadsheet from that, and whoever reads the table again takes it away.
A text that has apostrophes of its own there gets one more, so that none is altered.
"""

import re

_WOULD_RUN = re.compile(r"'*[=+\-@\t\r]")


def defused(text: str) -> str:
    """Return the text as it may stand in a cell."""
    return f"'{text}" if _WOULD_RUN.match(text) else text


def as_typed(text: str) -> str:
    """Return the text that `defused` was given, from what it returned."""
    return text[1:] if text.startswith("'") and _WOULD_RUN.match(text) else text

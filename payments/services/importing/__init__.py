"""Loading payments from other books: reading files, checking rows, writing all or nothing."""

from payments.services.importing.files import UnreadableFile, read_rows
from payments.services.importing.loading import (
    BookChanged,
    ImportReport,
    check_rows,
    import_payments,
)
from payments.services.importing.rows import BadRow, Row

__all__ = [
    "BadRow",
    "BookChanged",
    "ImportReport",
    "Row",
    "UnreadableFile",
    "check_rows",
    "import_payments",
    "read_rows",
]

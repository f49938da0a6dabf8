"""Running `manage.py load_payments`."""

import io
from contextlib import contextmanager

from django.core.management import CommandError, call_command
from django.db import connection

from payments.models import Payment


def load(path, **options):
    """Run the command; return what it said and whether it succeeded."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("load_payments", path, stdout=out, stderr=err, **options)
    except CommandError as error:
        return f"{err.getvalue()}{error}\n", False
    return out.getvalue() + err.getvalue(), True


def refused(path):
    """Run the command on a bad file; return the reasons."""
    said, succeeded = load(path)
    assert not succeeded, said
    assert not Payment.objects.filter(external_id__startswith="A-").exists()
    assert load(path, dry_run=True) == (said, False)
    return said


@contextmanager
def recorded():
    """Record all queries; the command empties Django's own record."""
    queries = []

    def record(execute, sql, parameters, many, context):
        queries.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(record):
        yield queries

"""Searches of large tables have their index, and in the words that Django searches with."""

import pytest
from django.db import connection

from lms.models import Course, Lesson
from payments.models import Payment
from people.models import User
from people.models.querysets import STAFF_SEARCHES
from project.common.db.search import contains
from project.mail.models import Mailing

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("search", "index"),
    [
        (lambda: Course.objects.matching("bread flour"), "course_searched"),
        (lambda: Lesson.objects.filter(contains("flour", "searched")), "lesson_searched"),
        (lambda: Payment.objects.filter(contains("хлеб", "searched")), "payment_searched"),
        (lambda: Mailing.objects.filter(contains("хлеб", "searched")), "mailing_searched"),
        (lambda: User.objects.matching("Казань"), "user_searched"),
        (lambda: User.objects.named_like("@school"), "user_searched"),
        (lambda: User.objects.filter(contains("7916", "phone")), "user_phone"),
        (lambda: User.objects.filter(contains("@school", *STAFF_SEARCHES)), "user_searched"),
    ],
)
def test_search_uses_its_index_on_postgresql(search, index):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no index for this")
    with connection.cursor() as cursor:
        # An empty table is quicker read whole.
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert index in search().order_by().explain()

"""Pages are compressed for whoever takes it; files and what the API says stay as they are written."""

import gzip
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from payments.tests.factories import PaymentFactory
from people.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.mark.parametrize("page", ["admin:lms_course_changelist", "admin:jsi18n", "admin:login"])
def test_pages_are_compressed_for_who_asks_for_it(
    page: str, client_of: Callable[[User], Client], administrator: User
) -> None:
    client = client_of(administrator) if page != "admin:login" else Client()
    plain = client.get(reverse(page))
    packed = client.get(reverse(page), headers={"accept-encoding": "gzip, br"})
    assert "Content-Encoding" not in plain
    assert "Accept-Encoding" in plain["Vary"]
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 3
    assert len(gzip.decompress(packed.content)) == pytest.approx(len(plain.content), rel=0.01)


def test_pages_of_the_same_length_differ_in_theirs_when_compressed() -> None:
    """Nobody learns a secret of a page from the length of what it answers to guesses (BREACH)."""
    asked = [
        Client().get("/admin/login/", headers={"accept-encoding": "gzip"}) for _time in range(9)
    ]
    assert len({len(response.content) for response in asked}) > 1


def test_files_keep_their_length(client_of: Callable[[User], Client], administrator: User) -> None:
    PaymentFactory.create_batch(9)
    address = reverse("admin:payments_payment_export")
    form = {"format": "csv"}
    answer = client_of(administrator).post(address, form, headers={"accept-encoding": "gzip"})
    assert answer["Content-Disposition"].startswith("attachment")
    assert "Content-Encoding" not in answer
    assert len(answer.getvalue()) == int(answer["Content-Length"])

"""The data of the further jobs: that they are what the application takes, and that their pages show
something."""

from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import Client

from bench import importing, large
from lms.models import Access, Course
from payments.models import Payment, PaymentMove, PaymentStatus

pytestmark = pytest.mark.django_db


def test_both_commands_load_the_same_payments_from_the_file_of_the_measurement(
    tmp_path: Path,
) -> None:
    importing.make_surroundings()
    file = tmp_path / "payments.json"
    importing.write_fixture(file, 40)

    call_command("loaddata", str(file), verbosity=0)
    columns = ("external_id", "payer", "course", "amount", "method", "status", "paid_at")
    by_loaddata = set(Payment.objects.values_list(*columns))
    Payment.objects.all().delete()
    call_command("load_payments", str(file), verbosity=0)

    assert len(by_loaddata) == 40
    assert set(Payment.objects.values_list(*columns)) == by_loaddata
    assert Access.objects.count() == Payment.objects.filter(status=PaymentStatus.PAID).count()
    assert PaymentMove.objects.exists()


@pytest.mark.filterwarnings("ignore:No directory at")
def test_pages_over_many_rows_show_the_same_as_over_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staticfiles_storage, "manifest_strict", False, raising=False)
    # VACUUM runs in no transaction.
    monkeypatch.setattr(large, "analyze", lambda: None)
    rows = large.make_first_rows()
    client = Client()

    def sizes() -> dict[str, int]:
        found = {}
        for name, request in large.pages().items():
            if not name.endswith(("page 50", "word")):
                response = client.get(request.path, headers=request.all_headers(), secure=True)
                assert response.status_code == 200, name
                found[name] = len(response.json()["items"]) if "admin" not in name else 0
        return found

    large.grow(rows, 1, 199)
    few = sizes()
    large.grow(rows, 200, 999)

    assert Course.objects.count() == 1000
    assert few["courses, moderator"] == few["payments, own"] == few["lessons, moderator"] == 10
    assert sizes() == few

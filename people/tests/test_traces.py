"""After an erasure nothing that names the person is found anywhere, whoever erased them."""

import logging
from decimal import Decimal
from io import BytesIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Task
from ninja_jwt.token_blacklist.models import OutstandingToken
from PIL import Image

from lms.models import Access, AccessSource
from lms.services import accesses
from lms.tests.factories import CourseFactory
from payments.models import FindingStatus, Payment, PaymentMove
from payments.services import refunds
from payments.tests.factories import FindingFactory, PaymentFactory
from people.models import User
from people.personal_data.registry import REGISTRY
from people.services.accounts import erase_account
from people.services.exports import forget_old_exports
from people.tests.factories import UserFactory
from people.tests.traces import places_of
from people.validators import ERASED_DOMAIN
from project import demo
from project.common.background.broker import sign
from project.common.logging import JSONFormatter
from project.mail.models import Delivery
from project.mail.services import send_to_one

pytestmark = pytest.mark.django_db

# What is left of what is erased.
EMPTY = ("", "—", None, False)
NAMES = {"first_name": "Zqfirstname", "last_name": "Zqlastname", "city": "Zqcity"}
EMAIL = "zqmailbox@zqdomain.example"
PHONE = "+79167654321"
# What others typed about the person, and what machines wrote.
TYPED = [
    *("zqblock", "zqunblock", "zqnote", "zqobject", "zqgrant", "zqrevoke", "zqrefund", "zqconfirm"),
    *("zqsettled", "zqrefusal", "zqkey", "zqserver", "zqsession", "zqtoken", "zqkeep"),
    *("zqnew", "zqother"),
]
PLANTED = [*NAMES.values(), EMAIL, "zqdomain", PHONE.lstrip("+"), *TYPED]


@pytest.fixture
def busiest(moderators):
    """Who has the most rows in the demo school."""
    forget_old_exports()  # files of other tests
    demo.load()
    people = User.objects.filter(is_superuser=False)
    return max(people, key=lambda person: sum(rows_of(person)))


def rows_of(person):
    return [table.rows_of(person.pk).count() for table in REGISTRY if table.of]


def picture():
    """With what a camera writes about its owner."""
    encoded = BytesIO()
    image = Image.new("RGB", (60, 40), "teal")
    exif = image.getexif()
    exif[0x013B] = "zqartist"
    image.save(encoded, "JPEG", exif=exif, comment=b"zqcomment")
    return encoded.getvalue()


def in_admin(client, person, action, reason):
    address = reverse(f"admin:people_user_{action}", args=[person.pk])
    return client.post(address, {"reason": reason, "confirm": "1", "typed": person.email})


def plant(person, api, administrator, client, run_worker):
    """Have the words come where they would come by themselves, as far as there is a door."""
    person.email, person.new_email = EMAIL, "zqnew@school.example"
    person.save()
    profile = NAMES | {"phone": PHONE}
    assert run_worker(lambda: api(person).patch(f"users/{person.pk}", profile)).status_code == 200
    assert api(person).upload("users/me/avatar", picture()).status_code == 200
    order = {"course_id": CourseFactory.create(published=True, price=10).pk, "method": "cash"}
    api(person).post("payments", order, headers={"Idempotency-Key": "zqkey-1"})

    in_admin(client, person, "block", "zqblock")
    in_admin(client, person, "unblock", "zqunblock, said Zqlastname")
    in_admin(client, person, "keep", "zqkeep")
    access, _new = accesses.grant_access(
        user=person,
        target=CourseFactory.create(),
        source=AccessSource.GRANT,
        given_by=administrator,
        reason="zqgrant",
    )
    accesses.take_back(access=access, reason="zqrevoke")
    payment = PaymentFactory.create(payer=person, refusal="zqrefusal")
    address = reverse("admin:payments_payment_confirm", args=[payment.pk])
    client.post(address, {"reason": "zqconfirm", "confirm": "1"})
    payment.refresh_from_db()
    refunds.refund_payment(payment=payment, by=administrator, reason="zqrefund", amount=Decimal(1))
    FindingFactory.create(
        payment=payment,
        status=FindingStatus.SETTLED,
        closed_at=timezone.now(),
        settled_by=administrator,
        settled_reason="zqsettled",
    )
    for row, words in ((access, "zqobject"), (person, "zqnote")):
        LogEntry.objects.create(
            user=administrator,
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=str(row),
            action_flag=2,
            change_message=f'[{{"changed": {{"name": "access", "object": "{words}", "fields": []}}}}]',
        )
    send_to_one("password_reset", person)
    Delivery.objects.filter(recipient=person).update(
        error=f"550 <{EMAIL}> zqserver says no", other_address="zqother@school.example"
    )
    OutstandingToken.objects.create(
        user=person, jti="1", token="zqtoken", expires_at=timezone.now()
    )
    visitor = Client()
    visitor.force_login(person)
    session = visitor.session
    session["note"] = "zqsession"
    session.save()
    words = f"Key (email)=({EMAIL}) exists. Failing row contains (7, Zqlastname, Zqcity)."
    failed = {"success": False, "result": words}
    sign(task=failed)
    now = timezone.now()
    Task.objects.create(
        id="x", name="x", func="x", args=(person.pk,), started=now, stopped=now, **failed
    )
    person.refresh_from_db()
    assert run_worker(lambda: api(person).post("users/me/export")).status_code == 202


@pytest.mark.parametrize("by_staff", [False, True])
def test_no_planted_word_is_found_after_an_erasure(
    busiest, api, administrator, client_of, run_worker, caplog, by_staff
):
    caplog.set_level(logging.INFO)
    client = client_of(administrator)
    plant(busiest, api, administrator, client, run_worker)
    kept_before = (Payment.objects.count(), PaymentMove.objects.count(), Access.objects.count())
    busiest.refresh_from_db()
    avatar = busiest.avatar.name.rpartition("/")[2].partition("-")[0]
    export = f"/{busiest.export.pk.hex}.zip"
    # The search finds them as long as they are there.
    assert any(export in place for place in places_of([EMAIL])[EMAIL])
    assert set(places_of([*PLANTED, avatar])) == {*PLANTED, avatar}

    if by_staff:
        run_worker(lambda: in_admin(client, busiest, "erase", "by letter"))
    else:
        assert run_worker(lambda: api(busiest).delete(f"users/{busiest.pk}")).status_code == 204

    assert places_of([*PLANTED, avatar, "zqartist", "zqcomment"]) == {}
    log = "\n".join(JSONFormatter().format(record) for record in caplog.records)
    assert "project.access" in log
    assert [word for word in PLANTED if word.lower() in log.lower()] == []
    kept = (Payment.objects.count(), PaymentMove.objects.count(), Access.objects.count())
    assert kept == kept_before
    actions = LogEntry.objects.filter(object_id=str(busiest.pk), content_type__model="user")
    assert {"Block", "Unblock"} <= {action.get_change_message() for action in actions}


def test_what_the_registry_says_is_what_the_erasure_does(
    busiest, api, administrator, client_of, run_worker
):
    """Rows that are to go are gone, columns that are to be empty are, and all others are untouched."""
    plant(busiest, api, administrator, client_of(administrator), run_worker)
    tables = [table for table in REGISTRY if table.of]
    before = [(table, values_of(table, table.rows_of(busiest.pk).values("pk"))) for table in tables]
    erase_account(user=busiest, by=administrator)
    for table, rows in before:
        after = values_of(table, rows.keys())
        if table.deleted:
            assert after == {}, table.model
            continue
        assert after.keys() == rows.keys(), table.model
        changed = {
            name
            for key, row in after.items()
            for name, value in row.items()
            if value != rows[key][name]
        }
        allowed = {*table.erased.replace("*", "").split()}
        if table.model == "people.User":
            # Who is erased is blocked, and no token of theirs is good.
            allowed |= {"is_active", "blocked_at", "blocked_reason", "token_version"}
        assert changed <= allowed, table.model
        left = {
            name: row[name]
            for row in after.values()
            for name in table.erased.replace("*", "").split()
            if row[name] not in EMPTY
        }
        if table.model == "people.User":
            assert not User(password=left.pop("password")).has_usable_password()
            assert (
                left.pop("email")
                == left.pop("searched_by_staff")
                == f"erased-{busiest.pk}@{ERASED_DOMAIN}"
            )
        elif table.where:  # what the application noted by itself stays
            left = {}
        assert left == {}, table.model


def values_of(table, keys):
    rows = table.get_model()._base_manager.filter(pk__in=keys)
    return {row["pk"]: row for row in rows.values("pk", *table.columns)}


def test_the_traces_of_others_stay(busiest, api, administrator, client_of, run_worker):
    other = UserFactory.create()
    plant(other, api, administrator, client_of(administrator), run_worker)
    busiest.refresh_from_db()
    before = places_of(PLANTED)
    erase_account(user=busiest, by=administrator)
    assert places_of(PLANTED) == before

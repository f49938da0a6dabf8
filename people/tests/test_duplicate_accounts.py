"""Accounts from before addresses had one form: brought into it, or told of if they share a mailbox."""

import importlib
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from people.models import User
from people.services import mailboxes
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_admin import confirmed, page, person_form

pytestmark = pytest.mark.django_db

KEPT = "anna@школа.рф"
FOR_SERVERS = "anna@xn--80atdl2c.xn--p1ai"


def migrate():
    """What the migration does, with the models as they were."""
    migration = importlib.import_module("people.migrations.0011_one_form_of_addresses")
    state = MigrationLoader(connection).project_state(migration.Migration.dependencies)
    with connection.schema_editor() as editor:
        migration.bring_into_form(state.apps, editor)


def addresses():
    return list(User.objects.order_by("pk").values_list("email", flat=True))


def find():
    said = StringIO()
    try:
        call_command("find_duplicate_accounts", stdout=said)
    except CommandError as error:
        said.write(str(error))
    return said.getvalue()


@pytest.fixture
def shared():
    """Two accounts of one mailbox, and others of theirs."""
    others = ["Bea@School.example", "vera@школа.рф", "no mailbox", "x@👍.example"]
    for email in (FOR_SERVERS, "Anna@школа.рф", *others):
        UserFactory.create(email=email, last_name="Petrova")
    return list(User.objects.order_by("pk")[:2])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("batch", [1, 1000])
@pytest.mark.parametrize("spelling", [FOR_SERVERS, "anna@ШКОЛА.РФ", "anna@школа。рф"])
def test_the_migration_brings_old_addresses_into_their_form(
    api, capsys, monkeypatch, client_of, administrator, batch, spelling
):
    monkeypatch.setattr(mailboxes, "BATCH", batch)
    old = ["Bea@SCHOOL.example", spelling, "vera@xn--80atdl2c.xn--p1ai", "x@👍.example"]
    for email in old:
        UserFactory.create(email=email, last_name="Petrova")
    for _run in range(2):
        migrate()
        kept = ["Bea@school.example", KEPT, "vera@школа.рф", "x@👍.example"]
        assert addresses() == [administrator.email, *kept]
    assert capsys.readouterr().out == ""
    assert (
        api(None).post("auth/token", {"email": spelling, "password": PASSWORD}).status_code == 200
    )
    found = client_of(administrator).get(page("changelist"), {"q": f"petrova {KEPT}"})
    assert [person.email for person in found.context["cl"].queryset] == [KEPT]


@pytest.mark.django_db(transaction=True)
def test_the_migration_leaves_two_accounts_of_one_mailbox_and_tells_who_they_are(shared, capsys):
    before = addresses()
    migrate()
    assert addresses() == [*before[:2], "Bea@school.example", *before[3:]]
    said = capsys.readouterr().out
    for person in shared:
        assert f"{person.email} (number {person.pk})" in said
    assert "find_duplicate_accounts" in said


@pytest.mark.django_db(transaction=True)
def test_two_accounts_of_one_mailbox_stay_though_neither_is_in_the_form(capsys):
    for email in (FOR_SERVERS, "anna@ШКОЛА.РФ"):
        UserFactory.create(email=email)
    migrate()
    assert addresses() == [FOR_SERVERS, "anna@ШКОЛА.РФ"]
    assert "One mailbox, 2 accounts" in capsys.readouterr().out


def test_staff_see_accounts_of_one_mailbox_and_settle_it(shared, client_of, administrator, api):
    client = client_of(administrator)
    words = "may have the same mailbox"
    text = client.get("/admin/").text
    assert f"1 account {words}" in text
    assert "/admin/people/user/?q=xn--" in text
    found = client.get(page("changelist"), {"q": "xn--"}).context["cl"].queryset
    assert [*found] == shared[:1]
    said = find()
    assert "One mailbox, 2 accounts" in said
    assert f"{shared[0].pk}: {shared[0].get_full_name()}, active" in said
    # Each may be worked with, and has its own way in.
    form = person_form(shared[0], city="Казань")
    assert client.post(page("change", shared[0].pk), form).status_code == 302
    login = {"email": FOR_SERVERS, "password": PASSWORD}
    assert api(None).post("auth/token", login).status_code == 200
    shared[0].refresh_from_db()
    assert (shared[0].email, shared[0].city) == (FOR_SERVERS, "Казань")
    assert (
        client.post(
            page("erase", shared[1].pk), {"typed": shared[1].email, **confirmed()}
        ).status_code
        == 302
    )
    assert find() == "Each mailbox is one account.\n"
    assert User.objects.by_email(KEPT).get() == shared[0]
    assert words not in client.get("/admin/").text


def test_an_address_that_is_taken_at_this_moment_is_told(meanwhile):
    UserFactory.create(email=FOR_SERVERS)
    with meanwhile(lambda: UserFactory.create(email=KEPT), after='LOWER("people_user"."email")'):
        said = find()
    assert "One mailbox, 2 accounts" in said

"""One mailbox is one account, however its address is spelled."""

import json
from io import StringIO

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import IntegrityError

from lms.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_admin import page, person_form
from project.common.mailboxes import canonical, for_sending, is_possible, readable

pytestmark = pytest.mark.django_db

KEPT = "anna@школа.рф"
SPELLINGS = [
    KEPT,
    "ANNA@ШКОЛА.РФ",
    "anna@xn--80atdl2c.xn--p1ai",
    " Anna@XN--80atdl2c.рф ",
    "anna@школа。рф",
    "anna@шко\u00adла.рф",
]
IMPOSSIBLE = [
    "anna@xn--zzzzzz.com",
    "anna@xn--school-.example",
    "anna@школа.рф.",
    "root@localhost",
    "root@[127.0.0.1]",
    "anna@\u202eшкола.рф",
    "anna@школа\u200f.рф",
    "anna@школа\u200d.рф",
    "anna@👍.example",
    "anna@шк_ола.рф",
    f"anna@{'ш' * 60}.рф",
    "anna@ᎠᎡ.com",
    "ａnna@school.example",
    "anna\u200b@school.example",
    "anna＠school.example",
    f"{'a' * 200}@{'.'.join(['шко'] * 12)}.рф",
]


def register(api, email):
    return api(None).post("auth/register", {"email": email, "password": PASSWORD})


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_address_is_kept_in_one_form(api, spelling):
    answer = register(api, spelling)
    assert (answer.status_code, answer.json()["email"].lower()) == (201, KEPT)
    for other in SPELLINGS:
        assert register(api, other).json()["code"] == "email_taken"
    assert User.objects.count() == 1


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_person_logs_in_and_asks_for_links_with_any_spelling(api, run_worker, spelling):
    UserFactory.create(email=KEPT)
    body = {"email": spelling, "password": PASSWORD}
    assert api(None).post("auth/token", body).status_code == 200
    run_worker(lambda: api(None).post("auth/password/reset", {"email": spelling}))
    User.objects.update(
        is_active=False, blocked_at="2026-01-01T00:00Z", blocked_reason="inactivity"
    )
    run_worker(lambda: api(None).post("auth/reactivation", {"email": spelling}))
    assert [message.to for message in mail.outbox] == [["anna@xn--80atdl2c.xn--p1ai"]] * 2


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_admin_knows_a_person_by_any_spelling(client_of, administrator, spelling):
    person = UserFactory.create(email=KEPT, is_staff=True)
    other = UserFactory.create()
    login = {"username": spelling, "password": PASSWORD}
    assert client_of(None).post("/admin/login/", login).status_code == 302
    client = client_of(administrator)
    found = client.get(page("changelist"), {"q": spelling}).context["cl"].queryset
    assert [*found] == [person]
    refused = client.post(page("change", other.pk), person_form(other, email=spelling))
    assert "account with this email" in str(refused.context["adminform"].form.errors)
    form = {"email": spelling, "language": "ru", "password1": PASSWORD, "password2": PASSWORD}
    refused = client.post(page("add"), form)
    assert "account with this email" in str(refused.context["adminform"].form.errors)


@pytest.mark.parametrize("text", [*SPELLINGS, "xn--80atdl2c.xn--p1ai", "школа.рф"])
def test_what_belongs_to_a_person_is_found_by_any_spelling(client_of, administrator, text):
    payment = PaymentFactory.create(payer__email=KEPT)
    PaymentFactory.create()
    client = client_of(administrator)
    found = client.get("/admin/payments/payment/", {"q": text}).context["cl"].queryset
    assert [*found] == [payment]
    choices = client.get("/admin/payments/payment/payers/", {"term": text}).json()["results"]
    assert [one["id"] for one in choices] == [str(payment.payer_id)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_staff_and_commands_write_an_address_in_its_form(client_of, administrator, spelling):
    client, person = client_of(administrator), UserFactory.create()
    form = {"email": spelling, "language": "ru", "password1": PASSWORD, "password2": PASSWORD}
    client.post(page("change", person.pk), person_form(person, email=spelling))
    person.refresh_from_db()
    assert person.email.lower() == KEPT
    assert f'value="{person.email}"' in client.get(page("change", person.pk)).text
    User.objects.filter(pk=person.pk).delete()
    assert client.post(page("add"), form).status_code == 302
    assert User.objects.by_email(KEPT).get().email.lower() == KEPT
    User.objects.by_email(KEPT).delete()
    for _run in range(2):
        call_command("csu", email=spelling, password=PASSWORD, stdout=StringIO())
    assert User.objects.get(email__iendswith="@школа.рф").email.lower() == KEPT


def test_a_fixture_understands_any_spelling(tmp_path):
    file = tmp_path / "people.json"
    fields = {"email": "anna@xn--80atdl2c.xn--p1ai", "password": ""}
    file.write_text(json.dumps([{"model": "people.user", "pk": 7, "fields": fields}]))
    call_command("loaddata", file, verbosity=0)
    assert User.objects.get().email == KEPT


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_import_understands_any_spelling(tmp_path, spelling):
    person, course = UserFactory.create(email="Anna@школа.рф"), CourseFactory.create(price=100)
    file = tmp_path / "payments.csv"
    file.write_text(
        "external_id,user,course_id,amount,currency,method,status\n"
        f"A-1,{spelling},{course.pk},100.00,RUB,cash,pending\n"
    )
    call_command("load_payments", str(file), stdout=StringIO())
    assert Payment.objects.get().payer == person


@pytest.mark.parametrize(
    "typed", ["", "@", "a@", "@a", "a@b@c", "a@my_host.com", "a@[127.0.0.1]", "a@..", *IMPOSSIBLE]
)
def test_whatever_is_typed_has_one_form(api, typed):
    kept = canonical(typed)
    assert canonical(kept) == kept
    assert for_sending(kept) == for_sending(for_sending(kept))
    body = {"email": typed[:254], "password": PASSWORD}
    assert api(None).post("auth/token", body).status_code == 401


def test_words_and_domains_are_brought_into_the_form_in_which_they_are_kept():
    assert readable("Anna XN--80atdl2c.рф vera@ШКОЛА.РФ") == "Anna школа.рф vera@школа.рф"
    assert canonical("Anna@👍.EXAMPLE") == "Anna@👍.example"


def test_an_address_is_as_long_as_servers_take_it():
    domain = "@школа.рф"  # of 22 letters for servers
    assert [is_possible("a" * length + domain) for length in (232, 233)] == [True, False]


def test_an_endless_domain_keeps_nobody_waiting():
    assert not is_possible("a@" + "ш." * 1_000_000)


@pytest.mark.parametrize("spelling", ["ANNA@школа.рф", KEPT])
def test_the_database_keeps_no_address_twice(spelling):
    UserFactory.create(email="Anna@школа.рф")
    with pytest.raises(IntegrityError):
        UserFactory.create(email=spelling)


@pytest.mark.parametrize("address", IMPOSSIBLE)
def test_an_address_that_no_server_knows_is_refused(api, client_of, administrator, address):
    answer = register(api, address)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "email"]
    form = {"email": address, "language": "ru", "password1": PASSWORD, "password2": PASSWORD}
    refused = client_of(administrator).post(page("add"), form)
    assert "email" in refused.context["adminform"].form.errors
    assert User.objects.get() == administrator


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@faß.de", "anna@fass.de"),
        ("anna@ıstanbul.example", "anna@istanbul.example"),
        ("anna@раураl.example", "anna@paypal.example"),
        ("anna@xn--80ak6aa92e.com", "anna@apple.com"),
    ],
)
def test_what_only_looks_the_same_is_another_mailbox(api, one, other):
    assert [register(api, address).status_code for address in (one, other)] == [201, 201]


@pytest.mark.parametrize(
    ("address", "servers_form"),
    [
        ("anna@faß.de", "anna@xn--fa-hia.de"),
        ("anna+1@школа.рф", "anna+1@xn--80atdl2c.xn--p1ai"),
        ("anna@school.example", "anna@school.example"),
    ],
)
def test_mail_goes_to_the_form_that_servers_know(sink, run_worker, api, address, servers_form):
    UserFactory.create(email=address)
    run_worker(lambda: api(None).post("auth/password/reset", {"email": address}))
    (message,) = sink.messages(servers_form)
    assert message["To"] == servers_form


def test_two_old_accounts_of_one_mailbox_are_each_found_as_spelled(api):
    first = UserFactory.create(email="anna@xn--80atdl2c.xn--p1ai")
    second = UserFactory.create(email=KEPT)
    found = [User.objects.by_email(email).first() for email in SPELLINGS]
    assert found == [second, second, first, second, second, second]
    assert register(api, SPELLINGS[2]).json()["code"] == "email_taken"

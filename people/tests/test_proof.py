"""Before money goes back and before rights are given, who does it proves once more who they are."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments.models import PaymentStatus
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tests.factories import PASSWORD
from people.tests.test_admin import person_form
from people.tests.test_second_factor import code_now, give_device, let_in, log_in, wrong_code
from project.school.models import School

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


@pytest.fixture
def device(administrator):
    return give_device(administrator)


@pytest.fixture
def later():
    """A clock that stands until it is moved."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


@pytest.fixture
def paid():
    return PaymentFactory.create(paid=True)


def refund(client: Client, payment, **answers):
    page = reverse("admin:payments_payment_refund", args=[payment.pk])
    response = client.post(page, {"reason": "Asked for it", **answers})
    payment.refresh_from_db()
    return response.content.decode()


def test_refund_soon_after_the_code_asks_nothing(administrator, device, paid):
    refund(let_in(administrator, device[0]), paid)
    assert paid.status == PaymentStatus.REFUNDED


def test_refund_later_asks_for_a_code(administrator, device, paid, later):
    client = let_in(administrator, device[0])
    later.shift(timedelta(minutes=16))
    page = reverse("admin:payments_payment_refund", args=[paid.pk])
    assert 'name="proof"' in client.get(page).content.decode()
    for answer in ({}, {"proof": ""}, {"proof": wrong_code(device[0])}, {"proof": PASSWORD}):
        refund(client, paid, **answer)
        assert paid.status == PaymentStatus.PAID
    later.shift(10)
    TOTPDevice.objects.update(last_t=-1)
    refund(client, paid, proof=code_now(device[0]))
    assert paid.status == PaymentStatus.REFUNDED
    assert 'name="proof"' not in client.get(page).content.decode()


def test_a_code_for_a_refund_works_once(administrator, device, paid, later):
    client, other = let_in(administrator, device[0]), let_in(administrator, device[0])
    later.shift(timedelta(minutes=16))
    code = code_now(device[0])
    refund(client, paid, proof=code, amount="1")
    another = PaymentFactory.create(paid=True)
    assert "already been used" in refund(other, another, proof=code)
    assert another.status == PaymentStatus.PAID


def test_code_is_not_used_up_by_a_form_that_lacks_something(administrator, device, paid, later):
    client = let_in(administrator, device[0])
    later.shift(timedelta(minutes=16))
    code = code_now(device[0])
    refund(client, paid, proof=code, reason="")
    refund(client, paid, proof=code)
    assert paid.status == PaymentStatus.REFUNDED


def test_who_has_no_device_is_asked_for_the_password(administrator, paid, later):
    client = log_in(administrator)
    later.shift(timedelta(minutes=16))
    assert "not your password" in refund(client, paid, proof="guess")
    assert paid.status == PaymentStatus.PAID
    refund(client, paid, proof=PASSWORD)
    assert paid.status == PaymentStatus.REFUNDED


def test_password_of_who_has_no_device_is_throttled(administrator, paid, later, settings):
    settings.THROTTLE_LOGIN = "2/min"
    client = log_in(administrator)
    later.shift(timedelta(minutes=16))
    refund(client, paid, proof="guess")
    refund(client, paid, proof="guess")
    assert "Too many attempts" in refund(client, paid, proof=PASSWORD)
    assert paid.status == PaymentStatus.PAID


@pytest.fixture
def waits(administrator, device, later):
    """An administrator who gave the code a while ago."""
    client = let_in(administrator, device[0])
    later.shift(timedelta(minutes=16))
    return client


def test_roles_are_given_and_taken_by_a_code(waits, device, moderators, learner):
    role = Group.objects.get(name="support")
    pages = {
        "give_roles": reverse("admin:people_user_give_roles", args=[learner.pk]),
        "add_members": reverse("admin:people_role_add_members", args=[role.pk]),
    }
    waits.post(pages["give_roles"], {"roles": [role.pk]})
    waits.post(pages["add_members"], {"people": [learner.pk]})
    assert not learner.groups.exists()
    waits.post(pages["give_roles"], {"roles": [role.pk], "proof": code_now(device[0])})
    assert learner.groups.exists()


def test_role_is_taken_by_a_code(waits, device, moderator):
    role = Group.objects.get(name="moderators")
    take = reverse("admin:people_user_take_roles", args=[moderator.pk])
    remove = reverse("admin:people_role_remove_members", args=[role.pk])
    waits.post(take, {"roles": [role.pk]})
    waits.post(remove, {"people": [moderator.pk]})
    assert moderator.groups.exists()
    waits.post(remove, {"people": [moderator.pk], "proof": code_now(device[0])})
    assert not moderator.groups.exists()


def change(client: Client, person: User, **changes: object) -> str:
    page = reverse("admin:people_user_change", args=[person.pk])
    response = client.post(page, person_form(person, **changes))
    person.refresh_from_db()
    return response.content.decode()


def test_rights_on_the_page_of_a_person_ask_for_a_code(waits, device, learner):
    page = waits.get(reverse("admin:people_user_change", args=[learner.pk])).content.decode()
    assert 'name="proof"' in page
    assert "This is needed to change rights." in change(waits, learner, is_superuser="on")
    assert not learner.is_superuser
    assert "This code is wrong" in change(
        waits, learner, is_superuser="on", proof=wrong_code(device[0])
    )
    assert not learner.is_superuser


def test_right_code_gives_rights(waits, device, learner):
    change(waits, learner, is_staff="on", is_superuser="on", proof=code_now(device[0]))
    assert learner.is_superuser


def test_other_fields_of_a_person_need_no_code(waits, learner):
    change(waits, learner, city="Kazan")
    assert learner.city == "Kazan"


def test_rights_soon_after_the_code_ask_nothing(administrator, device, learner):
    client = let_in(administrator, device[0])
    page = client.get(reverse("admin:people_user_change", args=[learner.pk])).content.decode()
    assert 'name="proof"' not in page
    change(client, learner, is_staff="on")
    assert learner.is_staff


def test_rights_of_a_role_ask_for_a_code(waits, device, moderators):
    own = Group.objects.create(name="helpers")
    right = Group.objects.get(name="support").permissions.all()[0]
    page = reverse("admin:people_role_change", args=[own.pk])
    none = {"User_groups-TOTAL_FORMS": 0, "User_groups-INITIAL_FORMS": 0}
    form = {"name": "helpers", "permissions": [right.pk], **none}
    assert 'name="proof"' in waits.get(page).content.decode()
    assert "This is needed to change rights." in waits.post(page, form).content.decode()
    assert not own.permissions.exists()
    waits.post(page, {**form, "proof": code_now(device[0])})
    assert own.permissions.get() == right


def test_new_role_with_rights_asks_for_a_code(waits, device, moderators):
    right = Group.objects.get(name="support").permissions.all()[0]
    page, form = reverse("admin:people_role_add"), {"name": "helpers", "permissions": [right.pk]}
    waits.post(page, form)
    assert not Group.objects.filter(name="helpers").exists()
    waits.post(page, {**form, "proof": code_now(device[0])})
    assert Group.objects.get(name="helpers").permissions.get() == right


def test_colleague_is_invited_with_a_role_by_a_code(waits, device, moderators):
    page = reverse("admin:people_user_invite_colleague")
    role = Group.objects.get(name="support")
    form = {"email": "new@school.example", "language": "en", "roles": [role.pk]}
    assert 'name="proof"' in waits.get(page).content.decode()
    assert "This is needed to change rights." in waits.post(page, form).content.decode()
    assert not User.objects.filter(email="new@school.example").exists()
    waits.post(page, {**form, "proof": code_now(device[0])})
    assert User.objects.get(email="new@school.example").invitation.roles.get() == role


def test_person_without_a_role_is_invited_without_a_code(waits):
    page = reverse("admin:people_user_add")
    assert 'name="proof"' not in waits.get(page).content.decode()
    waits.post(page, {"email": "new@school.example", "language": "en"})
    assert User.objects.filter(email="new@school.example").exists()


def save_school(client: Client, **changes: str) -> str:
    page = reverse("admin:school_school_change", args=[1])
    form = {"name": "Oak School", "daily_mail_hour": "9", "time_zone": "", **changes}
    return client.post(page, form).content.decode()


@pytest.mark.parametrize("field", ["bank_details", "transfer_instructions"])
def test_where_transfers_go_is_changed_by_a_code(waits, device, field):
    said = save_school(waits, **{field: "Account 1"})
    assert "This is needed to change where transfers go." in said
    assert not School.objects.exists()
    save_school(waits, **{field: "Account 1", "proof": code_now(device[0])})
    assert getattr(School.objects.get(), field) == "Account 1"


def test_other_settings_of_the_school_need_no_code(waits):
    save_school(waits, cash_instructions="At the desk.")
    assert School.objects.get().cash_instructions == "At the desk."

"""A device is lost: recovery codes, another device, and who resets it."""

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from people.models import AdminSession, LogIn, TokenFamily, User
from people.services import second_factor
from people.tests.factories import UserFactory
from people.tests.test_second_factor import (
    CODE,
    CODES,
    INDEX,
    RECOVERY_CODE,
    REMOVE,
    SECURITY,
    SET_UP,
    code_now,
    give_device,
    key_shown_on,
    leads_to,
    let_in,
    log_in,
    wrong_code,
)
from people.tokens import issue_pair

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


@pytest.fixture
def required(settings):
    settings.SECOND_FACTOR_ROLES = ["administrators", "accountants"]


@pytest.fixture
def device(administrator):
    return give_device(administrator)


@pytest.fixture
def later():
    """A clock that stands until it is moved."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def test_recovery_code_lets_in_once_and_says_how_many_are_left(administrator, device):
    code = device[1][0]
    client = log_in(administrator)
    response = client.post(CODE, {"code": f" {code.upper()} "}, follow=True)
    assert response.redirect_chain == [(SECURITY, 302)]
    assert "You used a recovery code; 9 are left." in response.content.decode()
    assert log_in(administrator).post(CODE, {"code": code}).status_code == 200


def test_recovery_code_works_while_codes_are_slowed_down(administrator, device):
    client = log_in(administrator)
    for _attempt in range(4):
        client.post(CODE, {"code": wrong_code(device[0])})
    assert leads_to(client.post(CODE, {"code": device[1][3]}), SECURITY)


def test_after_a_recovery_code_another_device_takes_the_place_of_the_lost_one(
    administrator, device, required
):
    old, codes = device
    client = log_in(administrator)
    client.post(CODE, {"code": codes[0]})
    new = key_shown_on(client.get(SET_UP).content.decode())
    done = client.post(SET_UP, {"code": code_now(new)})
    assert len(RECOVERY_CODE.findall(done.content.decode())) == 10
    other = log_in(administrator)
    for void in (code_now(old), codes[1]):
        assert other.post(CODE, {"code": void}).status_code == 200
    TOTPDevice.objects.update(last_t=-1, throttling_failure_count=0)
    assert leads_to(other.post(CODE, {"code": code_now(new)}), INDEX)


def test_device_is_replaced_only_by_who_shows_the_present_one(administrator, device, later):
    client = log_in(administrator)
    client.post(CODE, {"code": code_now(device[0])})
    TOTPDevice.objects.update(last_t=-1)
    later.shift(timedelta(minutes=16))
    new = key_shown_on(client.get(SET_UP).content.decode())
    refused = client.post(SET_UP, {"code": code_now(new), "proof": wrong_code(device[0])})
    assert "This code is wrong" in refused.content.decode()
    later.shift(2)
    done = client.post(SET_UP, {"code": code_now(new), "proof": code_now(device[0])})
    assert RECOVERY_CODE.findall(done.content.decode())


def test_new_recovery_codes_end_the_old_ones(administrator, device):
    client = let_in(administrator, device[0])
    assert client.get(CODES).status_code == 200
    new = RECOVERY_CODE.findall(client.post(CODES).content.decode())
    assert len(set(new)) == 10
    assert log_in(administrator).post(CODE, {"code": device[1][0]}).status_code == 200
    other = log_in(administrator)
    with time_machine.travel(timezone.now() + timedelta(seconds=2)):
        assert leads_to(other.post(CODE, {"code": new[0]}), SECURITY)


def test_new_recovery_codes_are_for_who_has_a_device(administrator):
    client = log_in(administrator)
    assert leads_to(client.get(CODES), SECURITY)
    assert leads_to(client.post(CODES), SECURITY)
    assert not StaticToken.objects.exists()


def test_new_recovery_codes_ask_for_a_code_after_a_while(administrator, device, later):
    client = let_in(administrator, device[0])
    later.shift(timedelta(minutes=16))
    refused = client.post(CODES, {"proof": wrong_code(device[0])}).content.decode()
    assert not RECOVERY_CODE.findall(refused)
    later.shift(2)
    TOTPDevice.objects.update(last_t=-1)
    done = client.post(CODES, {"proof": code_now(device[0])}).content.decode()
    assert RECOVERY_CODE.findall(done)


def test_who_does_not_have_to_may_turn_it_off(administrator, device):
    client = let_in(administrator, device[0])
    assert client.get(REMOVE).status_code == 200
    assert leads_to(client.post(REMOVE), SECURITY)
    assert log_in(administrator).get(INDEX).status_code == 200


def test_who_has_to_can_not_turn_it_off(administrator, device, required):
    client = let_in(administrator, device[0])
    response = client.post(REMOVE, follow=True)
    assert "requires two-step verification" in response.content.decode()
    assert second_factor.has_device(administrator)


# --- Reset -----------------------------------------------------------------------------------


def reset_page(user: User) -> str:
    return reverse("admin:people_user_reset_second_factor", args=[user.pk])


def test_administrator_resets_a_lost_device_with_a_reason_and_the_person_is_told(
    client_of, administrator, support, run_worker, mailoutbox
):
    give_device(support)
    open_session = log_in(support)
    issue_pair(support)
    client = client_of(administrator)
    run_worker(lambda: client.post(reset_page(support), {"reason": "Phone stolen, called back"}))
    assert not second_factor.has_device(support)
    assert not StaticToken.objects.exists()
    assert leads_to(open_session.get(INDEX), "/admin/login/")
    assert not TokenFamily.objects.exists()
    assert [mail.to for mail in mailoutbox] == [[support.email]]
    assert "no longer work" in mailoutbox[0].body
    assert LogEntry.objects.get().get_change_message().endswith("Phone stolen, called back")
    assert log_in(support).get(INDEX).status_code == 200


def test_reset_needs_a_reason(client_of, administrator, support):
    give_device(support)
    client_of(administrator).post(reset_page(support), {"reason": ""})
    assert second_factor.has_device(support)


def test_only_administrators_reset_and_nobody_their_own(client_of, administrator, support):
    give_device(support)
    colleague = UserFactory.create(is_staff=True, is_superuser=True)
    give_device(colleague)
    stranger = UserFactory.create(is_staff=True)
    stranger.user_permissions.set(support.user_permissions.all())
    assert client_of(stranger).post(reset_page(colleague), {"reason": "x"}).status_code == 403
    key, _codes = give_device(administrator)
    client = let_in(administrator, key)
    assert client.post(reset_page(administrator), {"reason": "x"}).status_code == 403
    assert second_factor.has_device(colleague)
    assert second_factor.has_device(administrator)
    client.post(reset_page(colleague), {"reason": "x"})
    assert not second_factor.has_device(colleague)


def test_operator_resets_the_last_administrator(administrator, device, run_worker, mailoutbox):
    output = StringIO()
    run_worker(
        lambda: call_command("reset_second_factor", administrator.email.upper(), stdout=output)
    )
    assert "logs in with the password alone now" in output.getvalue()
    assert log_in(administrator).get(INDEX).status_code == 200
    assert [mail.to for mail in mailoutbox] == [[administrator.email]]


def test_operator_is_told_of_an_unknown_or_an_erased_account():
    erased = UserFactory.create(erased=True)
    for email, words in (("nobody@school.example", "no account"), (erased.email, "was erased")):
        with pytest.raises(CommandError, match=words):
            call_command("reset_second_factor", email)


def test_erasure_takes_the_device_along(api, administrator, learner):
    give_device(learner)
    issue_pair(learner)
    log_in(learner)
    assert api(learner).delete(f"users/{learner.pk}").status_code == 204
    for model in (TOTPDevice, StaticToken, LogIn, AdminSession, TokenFamily):
        assert not model.objects.exists(), model

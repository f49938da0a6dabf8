"""The second step at the log-in of the admin, as staff meet it."""

import re
from base64 import b32decode
from datetime import timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from people.models import LogInOutcome, User
from people.services import second_factor
from people.tests.factories import PASSWORD, UserFactory
from project.common.errors import DomainError

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

INDEX = "/admin/"
CODE = "/admin/security/code/"
SET_UP = "/admin/security/set-up/"
CODES = "/admin/security/recovery-codes/"
REMOVE = "/admin/security/remove/"
SECURITY = "/admin/security/"
WRONG = "000000"
RECOVERY_CODE = re.compile(r"<li>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</li>")


def code_now(key: str, steps: int = 0) -> str:
    """What the app with this key shows, or showed or will show so many steps from now."""
    totp = TOTP(bytes.fromhex(key), drift=steps)
    return f"{totp.token():06}"


def wrong_code(key: str) -> str:
    right = {code_now(key, steps) for steps in range(-2, 3)}
    return next(code for code in (WRONG, "111111", "222222") if code not in right)


def give_device(user: User) -> tuple[str, list[str]]:
    """The key of a new device and the recovery codes; the code that confirmed it is of long ago."""
    key = second_factor.new_key()
    codes = second_factor.set_up(user=user, key=key, code=code_now(key))
    TOTPDevice.objects.filter(user=user).update(last_t=-1)
    return key, codes


def log_in(user: User, password: str = PASSWORD, client: Client | None = None) -> Client:
    client = client or Client()
    client.post(reverse("admin:login"), {"username": user.email, "password": password})
    return client


def let_in(user: User, key: str) -> Client:
    client = log_in(user)
    client.post(CODE, {"code": code_now(key)})
    TOTPDevice.objects.filter(user=user).update(last_t=-1)
    return client


def leads_to(response, page: str) -> bool:
    return bool(response.status_code == 302 and response["Location"].startswith(page))


@pytest.fixture
def required(settings):
    settings.SECOND_FACTOR_ROLES = ["administrators", "accountants"]


@pytest.fixture
def device(administrator):
    return give_device(administrator)


# --- Who has to ------------------------------------------------------------------------------


def test_who_has_to_and_has_no_device_can_do_nothing_but_set_it_up(administrator, required):
    client = log_in(administrator)
    for page in (INDEX, SECURITY, CODES, "/admin/people/user/", "/admin/password_change/"):
        assert leads_to(client.get(page), f"{SET_UP}?{urlencode({'next': page})}"), page
    change = client.post(f"/admin/people/user/{administrator.pk}/change/", {"first_name": "Eve"})
    assert leads_to(change, SET_UP)
    assert client.get(SET_UP).status_code == 200
    assert client.post("/admin/logout/").status_code == 200


@pytest.mark.parametrize("role", ["moderators", "support"])
def test_roles_that_are_not_named_need_no_device(moderators, required, role):
    user = UserFactory.create(is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    assert log_in(user).get(INDEX).status_code == 200


def test_a_group_that_is_named_needs_one(moderators, required):
    user = UserFactory.create(is_staff=True)
    user.groups.add(Group.objects.get(name="accountants"))
    assert leads_to(log_in(user).get(INDEX), SET_UP)


def test_staff_stands_for_everybody_in_the_admin(support, settings):
    settings.SECOND_FACTOR_ROLES = ["staff"]
    assert leads_to(log_in(support).get(INDEX), SET_UP)


def test_check_reports_a_role_that_is_no_group(moderators, settings):
    settings.SECOND_FACTOR_ROLES = ["administrators", "staff", "support", "acountants"]
    found = [one for one in run_checks(include_deployment_checks=True) if one.id == "parta.W008"]
    assert [one.msg for one in found] == [
        "SECOND_FACTOR_ROLES names 'acountants', and there is no such group."
    ]


# --- Setting up ------------------------------------------------------------------------------


def key_shown_on(page: str) -> str:
    shown = re.search(r"parta-key[^>]*>([A-Z2-7 ]+)<", page)
    assert shown is not None
    return b32decode(shown[1].replace(" ", "")).hex()


def test_set_up_shows_key_and_picture_and_ten_codes_once(administrator, required):
    client = log_in(administrator)
    page = client.get(f"{SET_UP}?next=/admin/people/user/").content.decode()
    assert "<svg" in page
    key = key_shown_on(page)
    assert key_shown_on(client.get(SET_UP).content.decode()) == key
    done = client.post(f"{SET_UP}?next=/admin/people/user/", {"code": code_now(key)})
    codes = RECOVERY_CODE.findall(done.content.decode())
    assert len(set(codes)) == 10
    assert 'href="/admin/people/user/"' in done.content.decode()
    assert client.get(INDEX).status_code == 200
    assert not RECOVERY_CODE.findall(client.get(SECURITY).content.decode())


def test_wrong_code_sets_nothing_up(administrator, required):
    client = log_in(administrator)
    key = key_shown_on(client.get(SET_UP).content.decode())
    response = client.post(SET_UP, {"code": wrong_code(key)})
    assert "This code is wrong" in response.content.decode()
    assert not second_factor.has_device(administrator)
    assert leads_to(client.get(INDEX), SET_UP)


def test_a_session_left_open_sets_nothing_up_without_the_password(administrator):
    client = log_in(administrator)
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        key = key_shown_on(client.get(SET_UP).content.decode())
        for answer, is_set_up in (
            ({}, False),
            ({"proof": "guess"}, False),
            ({"proof": PASSWORD}, True),
        ):
            client.post(SET_UP, {"code": code_now(key), **answer})
            assert second_factor.has_device(administrator) is is_set_up


def test_set_up_before_its_page_was_opened_gives_a_key_first(administrator):
    response = log_in(administrator).post(SET_UP, {"code": WRONG})
    assert "<svg" in response.content.decode()


def test_recovery_codes_are_kept_as_hashes(administrator, device):
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert len(kept) == 10
    assert kept.isdisjoint({code.replace("-", "") for code in device[1]})


def test_colleagues_never_share_a_recovery_code(administrator, moderator, device):
    """Of the same code another hash is kept."""
    give_device(moderator)
    token = StaticToken.objects.filter(device__user=administrator).first()
    StaticToken.objects.filter(device__user=moderator).update(token=token.token)
    with pytest.raises(DomainError):
        second_factor.check_code(user=moderator, code=device[1][0])


# --- Logging in ------------------------------------------------------------------------------


def test_who_has_a_device_is_asked_after_the_password(administrator, device):
    client = log_in(administrator)
    for page in (INDEX, SECURITY, SET_UP, CODES, REMOVE, "/admin/password_change/"):
        assert leads_to(client.get(page), f"{CODE}?{urlencode({'next': page})}"), page
    response = client.post(f"{CODE}?next=/admin/people/user/", {"code": code_now(device[0])})
    assert response["Location"] == "/admin/people/user/"
    assert client.get("/admin/people/user/").status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_the_way_on_leads_to_no_other_site(administrator, device, target):
    client = log_in(administrator)
    response = client.post(f"{CODE}?{urlencode({'next': target})}", {"code": code_now(device[0])})
    assert response["Location"] == INDEX


def test_who_is_in_is_not_asked_again(administrator, device):
    client = let_in(administrator, device[0])
    assert leads_to(client.get(CODE), INDEX)
    assert leads_to(client.post(CODE, {"code": WRONG}), INDEX)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_be_a_step_off(administrator, device, steps):
    client = log_in(administrator)
    assert leads_to(client.post(CODE, {"code": code_now(device[0], steps)}), INDEX)


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_clock_may_be_no_more_off_however_often_it_was(administrator, device, steps):
    key, _codes = device
    second_factor.check_code(user=administrator, code=code_now(key, steps // 2))
    TOTPDevice.objects.update(last_t=-1)
    assert log_in(administrator).post(CODE, {"code": code_now(key, steps)}).status_code == 200


def test_a_code_works_once(administrator, device):
    code = code_now(device[0])
    assert leads_to(log_in(administrator).post(CODE, {"code": code}), INDEX)
    again = log_in(administrator).post(CODE, {"code": code})
    assert "This code is wrong or has already been used" in again.content.decode()


@pytest.mark.parametrize("spelling", ["{0} {1}", " {0}{1} ", "{0}\t{1}"])
def test_spaces_in_a_code_do_not_matter(administrator, device, spelling):
    code = code_now(device[0])
    text = spelling.format(code[:3], code[3:])
    assert leads_to(log_in(administrator).post(CODE, {"code": text}), INDEX)


@pytest.mark.parametrize("text", ["{0}_{1}", "+{0}{1}", "{0}{1}.0", "0{0}{1}"])
def test_what_python_would_read_as_the_number_is_no_code(administrator, device, text):
    code = code_now(device[0])
    response = log_in(administrator).post(CODE, {"code": text.format(code[:3], code[3:])})
    assert response.status_code == 200


def test_empty_code_is_no_attempt(administrator, device):
    client = log_in(administrator)
    assert client.post(CODE, {"code": ""}).status_code == 200
    assert leads_to(client.post(CODE, {"code": code_now(device[0])}), INDEX)


def test_failures_cost_time_that_doubles_even_for_the_right_code(administrator, device):
    key, _codes = device
    with time_machine.travel(timezone.now(), tick=False) as clock:
        client = log_in(administrator)
        for wait in (1, 2, 4, 8):
            client.post(CODE, {"code": wrong_code(key)})
            clock.shift(wait - 0.5)
            refused = client.post(CODE, {"code": code_now(key)}).content.decode()
            assert "Too many attempts. Try again in 1 s." in refused
            clock.shift(0.5)
        assert leads_to(client.post(CODE, {"code": code_now(key)}), INDEX)


def test_failures_of_one_person_hinder_nobody_else(administrator, moderator, device):
    client = log_in(administrator)
    for _attempt in range(3):
        client.post(CODE, {"code": wrong_code(device[0])})
    key, _codes = give_device(moderator)
    assert leads_to(log_in(moderator).post(CODE, {"code": code_now(key)}), INDEX)


# --- Written down ----------------------------------------------------------------------------


def test_each_step_is_written_down(administrator, device):
    client = log_in(administrator)
    client.post(CODE, {"code": wrong_code(device[0])})
    with time_machine.travel(timezone.now() + timedelta(seconds=2)):
        client.post(CODE, {"code": code_now(device[0])})
    assert list(administrator.log_ins.values_list("outcome", flat=True)) == [
        LogInOutcome.SUCCEEDED,
        LogInOutcome.WRONG_CODE,
        LogInOutcome.CODE_ASKED,
    ]

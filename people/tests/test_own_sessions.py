"""Where somebody is logged in, who logged in when, and how sessions end."""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from people.clients import in_words
from people.models import AdminSession, LogIn, TokenFamily
from people.services import accounts, blocks
from people.tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.5 Mobile/15E148 Safari/604.1"
)
SECURITY = "/admin/security/"
INDEX = "/admin/"


def log_in(user, *, device=FIREFOX, address="203.0.113.7", password=PASSWORD, client=None):
    """Tokens of the API, as a browser gets them."""
    body = {"email": user.email, "password": password}
    return (client or Client()).post(
        "/api/v1/auth/token",
        body,
        content_type="application/json",
        headers={"User-Agent": device},
        REMOTE_ADDR=address,
    )


def enter(user, *, device=FIREFOX, password=PASSWORD, address="203.0.113.7"):
    """A browser in the admin."""
    client = Client(headers={"User-Agent": device}, REMOTE_ADDR=address)
    client.post(reverse("admin:login"), {"username": user.email, "password": password})
    return client


def is_in(client):
    return client.get(INDEX).status_code == 200


def bearer(pair):
    return {"Authorization": f"Bearer {pair['access']}"}


def listed(api, pair):
    return api(None).get("users/me/sessions", headers=bearer(pair)).json()["items"]


# --- One's own, by the API -------------------------------------------------------------------


def test_sessions_are_listed_with_device_address_and_times(api, moderator):
    enter(moderator)
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        pair = log_in(moderator, device=IPHONE, address="2001:db8::7").json()
        phone, desk = listed(api, pair)
    assert (phone["device"], phone["door"]) == ("Safari on iPhone", "api")
    assert (phone["address"], phone["is_current"]) == ("2001:db8::7", True)
    assert phone["begun_at"] == phone["last_used_at"]
    assert (desk["device"], desk["door"]) == ("Firefox on Windows", "admin")
    assert (desk["address"], desk["is_current"]) == ("203.0.113.7", False)


def test_exchange_of_the_token_counts_as_use_and_keeps_the_session(api, learner):
    pair = log_in(learner).json()
    before = listed(api, pair)[0]
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        pair = api(None).post("auth/token/refresh", {"refresh": pair["refresh"]}).json()
        (after,) = listed(api, pair)
    assert after["id"] == before["id"]
    assert after["begun_at"] == before["begun_at"]
    assert after["last_used_at"] > before["last_used_at"]
    assert after["device"] == "Firefox on Windows"


def test_new_password_leaves_the_session_that_changed_it(api, learner):
    log_in(learner)
    pair = log_in(learner).json()
    body = {"old_password": PASSWORD, "new_password": "another long one"}
    headers = bearer(pair) | {"User-Agent": IPHONE}
    pair = api(None).post("auth/password/change", body, headers=headers).json()
    assert [one["device"] for one in listed(api, pair)] == ["Safari on iPhone"]


def test_session_is_ended_with_its_tokens(api, learner):
    mine, other = log_in(learner).json(), log_in(learner).json()
    (of_other,) = [one for one in listed(api, mine) if not one["is_current"]]
    path = f"users/me/sessions/{of_other['id']}"
    assert api(None).delete(path, headers=bearer(mine)).status_code == 204
    assert api(None).get("users/me", headers=bearer(other)).status_code == 401
    refused = api(None).post("auth/token/refresh", {"refresh": other["refresh"]})
    assert refused.status_code == 401
    assert len(listed(api, mine)) == 1
    assert api(None).delete(path, headers=bearer(mine)).status_code == 404


def test_session_in_the_admin_is_ended_by_the_api(api, moderator):
    desk = enter(moderator)
    mine = log_in(moderator).json()
    (of_admin,) = [one for one in listed(api, mine) if one["door"] == "admin"]
    path = f"users/me/sessions/{of_admin['id']}"
    assert api(None).delete(path, headers=bearer(mine)).status_code == 204
    assert not is_in(desk)


def test_nobody_ends_the_session_of_somebody_else(api, learner, stranger):
    log_in(learner)
    foreign = TokenFamily.objects.get().pk
    assert api(stranger).delete(f"users/me/sessions/{foreign}").status_code == 404
    assert api(stranger).delete(f"users/me/sessions/{uuid4()}").status_code == 404
    assert TokenFamily.objects.exists()


def test_sessions_that_are_over_are_not_listed(api, learner):
    TokenFamily.objects.create(
        user=learner, issued_at=timezone.now(), expires_at=timezone.now() - timedelta(seconds=1)
    )
    log_in(learner)
    blocks.block(user=learner, by=None)
    blocks.unblock(user=learner, by=None)
    learner.refresh_from_db()
    assert api(learner).get("users/me/sessions").json()["items"] == []


def test_session_of_the_release_before_is_listed_without_what_was_not_recorded(api, learner):
    now = timezone.now()
    TokenFamily.objects.create(user=learner, issued_at=now, expires_at=now + timedelta(days=1))
    (one,) = api(learner).get("users/me/sessions").json()["items"]
    assert (one["begun_at"], one["address"], one["device"]) == (None, None, "unknown device")


def test_sessions_are_paged(api, learner):
    for _each in range(3):
        log_in(learner)
    body = api(learner).get("users/me/sessions?page=2&page_size=2").json()
    assert (len(body["items"]), body["count"], body["pages"]) == (1, 3, 2)


@pytest.mark.parametrize("number", [2, 20])
def test_queries_of_the_list_do_not_grow(api, learner, number, django_assert_num_queries):
    for _each in range(number):
        log_in(learner)
    with django_assert_num_queries(3):  # the caller; those of the API; those in the admin
        api(learner).get("users/me/sessions?page_size=100")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (IPHONE, "Safari on iPhone"),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/138.0.0.0 Safari/537.36"
            ),
            "Chrome on macOS",
        ),
        (
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/136.0.0.0 YaBrowser/25.6.0.0 Safari/537.36"
            ),
            "Yandex Browser on Linux",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko)"
                " SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"
            ),
            "Samsung Internet on Android",
        ),
        ("python-requests/2.34", "python-requests"),
        ("okhttp/5.0 (Linux)", "Linux"),
        ("", "unknown device"),
        ("<script>", "unknown device"),
    ],
)
def test_device_is_told_in_words(device, words):
    assert in_words(device) == words


# --- One's own, in the admin -----------------------------------------------------------------


def test_page_of_staff_shows_their_sessions_and_log_ins_and_nobody_elses(moderator, support):
    enter(support, device=IPHONE)
    enter(moderator, password="wrong")
    client = enter(moderator)
    page = client.get(SECURITY).content.decode()
    assert "Firefox on Windows" in page
    assert "this session" in page
    assert "refused: wrong password" in page
    assert "203.0.113.7" in page
    assert "iPhone" not in page


def test_staff_end_one_session_or_all_others(api, moderator):
    here, there, phone = enter(moderator), enter(moderator), log_in(moderator).json()
    other = AdminSession.objects.order_by("-begun_at")[0]
    here.post(SECURITY, {"session": str(other.pk)})
    assert (is_in(here), is_in(there)) == (True, False)
    there = enter(moderator)
    here.post(SECURITY)
    assert (is_in(here), is_in(there)) == (True, False)
    assert api(None).get("users/me", headers=bearer(phone)).status_code == 401


@pytest.mark.parametrize("session", ["nonsense", "d8a69bd6-aa21-4179-8d7c-462aa1d913ef"])
def test_a_session_that_is_not_there_is_an_error_on_the_page(moderator, session):
    client = enter(moderator)
    assert client.post(SECURITY, {"session": session}, follow=True).status_code == 200
    assert is_in(client)


# --- By administrators -----------------------------------------------------------------------


def test_administrators_see_sessions_and_log_ins_on_the_page_of_a_person(
    client_of, administrator, support, learner
):
    log_in(learner, device=IPHONE)
    log_in(learner, password="wrong", address="198.51.100.9")
    address = reverse("admin:people_user_change", args=[learner.pk])
    page = client_of(administrator).get(address).content.decode()
    assert "Safari on iPhone" in page
    assert "198.51.100.9" in page
    assert "refused: wrong password" in page
    assert "198.51.100.9" not in client_of(support).get(address).content.decode()


def test_administrator_ends_all_sessions_of_a_person(api, client_of, administrator, moderator):
    desk, phone = enter(moderator), log_in(moderator).json()
    client = client_of(administrator)
    action = reverse("admin:people_user_end_sessions", args=[moderator.pk])
    assert "logged out everywhere" in client.get(action).content.decode()
    client.post(action)
    assert not is_in(desk)
    assert api(None).get("users/me", headers=bearer(phone)).status_code == 401
    assert is_in(enter(moderator))


def test_nobody_else_ends_sessions_of_others(client_of, support, learner, administrator):
    log_in(learner)
    action = reverse("admin:people_user_end_sessions", args=[learner.pk])
    assert client_of(support).post(action).status_code == 403
    own = reverse("admin:people_user_end_sessions", args=[administrator.pk])
    assert client_of(administrator).post(own).status_code == 403
    assert TokenFamily.objects.exists()


# --- What ends sessions in the admin ---------------------------------------------------------


def test_dismissed_colleague_can_do_nothing_at_the_next_click(client_of, administrator, moderator):
    desk = enter(moderator)
    assert is_in(desk)
    role = Group.objects.get(name="moderators")
    action = reverse("admin:people_user_take_roles", args=[moderator.pk])
    client_of(administrator).post(action, {"roles": [role.pk]})
    response = desk.get("/admin/lms/course/")
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
    assert desk.post("/admin/lms/course/add/", {"title": "x"}).status_code == 302
    assert not AdminSession.objects.filter(user=moderator).exists()


def test_colleague_who_comes_back_has_to_log_in_again(client_of, administrator, moderator):
    desk, client = enter(moderator), client_of(administrator)
    role = Group.objects.get(name="moderators")
    for action in ("take_roles", "give_roles"):
        address = reverse(f"admin:people_user_{action}", args=[moderator.pk])
        client.post(address, {"roles": [role.pk]})
    assert not is_in(desk)
    assert is_in(enter(moderator))


def test_block_ends_the_session_for_good(administrator, support):
    desk = enter(support)
    blocks.block(user=support, by=administrator)
    assert not is_in(desk)
    blocks.unblock(user=support, by=administrator)
    assert not is_in(desk)


def test_erasure_ends_the_session(administrator, support):
    desk = enter(support)
    accounts.erase_account(user=support, by=administrator)
    assert not is_in(desk)


def test_log_out_everywhere_by_the_api_ends_the_session_in_the_admin(api, moderator):
    desk = enter(moderator)
    api(moderator).post("auth/logout/everywhere")
    assert not is_in(desk)


def test_new_password_by_the_api_ends_the_session_in_the_admin(api, moderator):
    desk = enter(moderator)
    body = {"old_password": PASSWORD, "new_password": "another long one"}
    api(moderator).post("auth/password/change", body)
    assert not is_in(desk)


def test_new_password_in_the_admin_leaves_this_session_and_ends_all_others(api, moderator):
    here, there, phone = enter(moderator), enter(moderator), log_in(moderator).json()
    form = {"old_password": PASSWORD}
    form |= dict.fromkeys(("new_password1", "new_password2"), "another long one")
    response = here.post(reverse("admin:password_change"), form)
    assert response.status_code == 302
    assert (is_in(here), is_in(there)) == (True, False)
    assert is_in(here)
    assert api(None).get("users/me", headers=bearer(phone)).status_code == 401


def test_log_out_ends_the_session(moderator):
    client = enter(moderator)
    client.post(reverse("admin:logout"))
    assert not AdminSession.objects.exists()


def test_another_log_in_in_the_same_browser_is_one_session(moderator):
    client = enter(moderator)
    form = {"username": moderator.email, "password": PASSWORD}
    client.post(reverse("admin:login"), form)
    assert AdminSession.objects.count() == 1
    assert is_in(client)


def test_session_of_the_release_before_goes_on(moderator):
    client = enter(moderator)
    session = client.session
    del session["admin_session"]
    session.save()
    AdminSession.objects.all().delete()
    assert is_in(client)
    assert AdminSession.objects.get().user == moderator
    assert LogIn.objects.count() == 1


def of_the_release_before(user):
    """A browser whose session has no record."""
    client = Client()
    client.force_login(user)
    session = client.session
    session.pop("admin_session", None)
    session.save()
    AdminSession.objects.filter(user=user).delete()
    return client


def test_log_out_everywhere_ends_sessions_of_the_release_before(api, moderator):
    before = of_the_release_before(moderator)
    api(moderator).post("auth/logout/everywhere")
    assert not is_in(before)


def test_ending_all_others_ends_sessions_of_the_release_before_and_leaves_ones_own(moderator):
    before, desk = of_the_release_before(moderator), enter(moderator)
    desk.post(SECURITY)
    assert not is_in(before)
    assert is_in(desk)


def test_use_is_noted_every_few_minutes(moderator):
    client, begun = enter(moderator), AdminSession.objects.get().last_used_at
    for minutes, is_noted in ((4, False), (6, True)):
        with time_machine.travel(begun + timedelta(minutes=minutes), tick=False):
            assert is_in(client)
        assert (AdminSession.objects.get().last_used_at > begun) is is_noted

"""Log-in and the life of tokens."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from ninja_jwt.token_blacklist.models import OutstandingToken

from people import tasks
from people.models import BlockReason, User
from people.services import accounts, blocks, sessions
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import AccessToken, RefreshToken, issue_access_token

pytestmark = pytest.mark.django_db


def log_in(api, user, password=PASSWORD):
    return api(None).post("auth/token", {"email": user.email, "password": password})


def refresh(api, token):
    return api(None).post("auth/token/refresh", {"refresh": token})


def verify(api, token):
    return api(None).post("auth/token/verify", {"token": token}).status_code


def with_token(api, token):
    headers = {"Authorization": f"Bearer {token}"}
    return api(None).get("users/me", headers=headers).status_code


@pytest.fixture
def pair(api, learner):
    return log_in(api, learner).json()


def test_log_in_gives_tokens_whatever_the_letter_case_and_notes_the_time(api, learner, stranger):
    body = {"email": f" {learner.email.upper()}", "password": PASSWORD}
    response = api(None).post("auth/token", body)
    assert response.status_code == 200
    assert set(response.json()) == {"access", "refresh"}
    assert with_token(api, response.json()["access"]) == 200
    learner.refresh_from_db()
    assert timezone.now() - learner.last_login < timedelta(seconds=10)
    stranger.refresh_from_db()
    assert stranger.last_login is None


@pytest.mark.parametrize("email", ["nobody@school.example", "no e-mail at all", ""])
def test_unknown_email_is_refused_as_a_wrong_password_is(api, learner, email):
    wrong = log_in(api, learner, "wrong")
    unknown = api(None).post("auth/token", {"email": email, "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "invalid_credentials"
    assert wrong["WWW-Authenticate"] == "Bearer"
    learner.refresh_from_db()
    assert learner.last_login is None


@pytest.mark.parametrize("email", ["nobody@school.example", "somebody@school.example"])
def test_a_password_is_hashed_even_for_an_unknown_email(api, monkeypatch, email):
    UserFactory.create(email="somebody@school.example")
    hashed = []

    def encode(_hasher, password, _salt):
        hashed.append(password)
        return "md5$salt$hash"

    monkeypatch.setattr("django.contrib.auth.hashers.MD5PasswordHasher.encode", encode)
    api(None).post("auth/token", {"email": email, "password": "wrong"})
    assert hashed == ["wrong"]


def test_blocked_account_is_told_so_only_with_the_right_password(api, learner):
    blocks.block(user=learner, by=None)
    right, wrong = log_in(api, learner), log_in(api, learner, "wrong")
    assert (right.status_code, right.json()["code"]) == (403, "account_blocked")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")


def test_password_hashed_in_an_older_way_is_hashed_anew_and_tokens_stay(
    api, learner, stranger, settings
):
    User.objects.filter(pk=stranger.pk).update(password=learner.password)  # they came from a copy
    token = issue_access_token(learner)
    before = learner.password
    settings.PASSWORD_HASHERS = [
        "people.hashers.Argon2idPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    assert log_in(api, learner).status_code == 200
    learner.refresh_from_db()
    assert learner.password != before
    assert learner.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert with_token(api, token) == 200
    assert log_in(api, learner).status_code == 200
    stranger.refresh_from_db()
    assert stranger.password == before


def test_refresh_rotates_and_counts_as_activity(api, learner, pair):
    with time_machine.travel(timezone.now() + timedelta(days=3), tick=False):
        response = refresh(api, pair["refresh"])
        assert response.status_code == 200
        learner.refresh_from_db()
        assert learner.last_login == timezone.now()
        assert with_token(api, response.json()["access"]) == 200
        assert refresh(api, pair["refresh"]).status_code == 401
        assert refresh(api, response.json()["refresh"]).status_code == 200


def test_every_refresh_token_is_on_record(api, learner, pair):
    rotated = refresh(api, pair["refresh"]).json()["refresh"]
    recorded = OutstandingToken.objects.filter(user=learner).values_list("token", flat=True)
    assert set(recorded) == {pair["refresh"], rotated}


def test_tokens_end_with_their_time(api, settings, pair):
    access, refresh_lifetime = (
        settings.NINJA_JWT[f"{kind}_TOKEN_LIFETIME"] for kind in ("ACCESS", "REFRESH")
    )
    with time_machine.travel(timezone.now() + access + timedelta(seconds=1)):
        assert with_token(api, pair["access"]) == 401
        assert verify(api, pair["access"]) == 401
        assert verify(api, pair["refresh"]) == 204
    with time_machine.travel(timezone.now() + refresh_lifetime + timedelta(seconds=1)):
        assert refresh(api, pair["refresh"]).status_code == 401


def test_a_token_serves_its_own_purpose_only(api, pair):
    assert with_token(api, pair["refresh"]) == 401
    assert refresh(api, pair["access"]).status_code == 401


def change_password(api, learner):
    body = {"old_password": PASSWORD, "new_password": "another horse battery"}
    assert api(learner).post("auth/password/change", body).status_code == 204


def block(api, learner):
    blocks.block(user=learner, by=None)


def block_and_unblock(api, learner):
    blocks.block(user=learner, by=None, reason=BlockReason.INACTIVITY)
    blocks.unblock(user=learner, by=None)


def deactivate_by_hand(api, learner):
    User.objects.filter(pk=learner.pk).update(is_active=False)


def erase(api, learner):
    assert api(learner).delete(f"users/{learner.pk}").status_code == 204


def delete_the_row(api, learner):
    learner.delete()


def set_password_elsewhere(api, learner):
    learner.set_password("another horse battery")
    learner.save()


@pytest.mark.parametrize(
    "end",
    [
        change_password,
        block,
        block_and_unblock,
        deactivate_by_hand,
        erase,
        delete_the_row,
        set_password_elsewhere,
    ],
)
def test_all_tokens_end_at_once(api, learner, pair, end):
    assert verify(api, pair["access"]) == verify(api, pair["refresh"]) == 204
    end(api, learner)
    assert with_token(api, pair["access"]) == 401
    assert verify(api, pair["access"]) == verify(api, pair["refresh"]) == 401
    response = refresh(api, pair["refresh"])
    assert response.status_code == 401
    assert response.json()["code"] == "invalid_token"


def test_logout_refuses_this_refresh_token_only(api, learner, stranger, pair):
    other, theirs = log_in(api, learner).json(), log_in(api, stranger).json()
    response = api(learner).post("auth/logout", {"refresh": pair["refresh"]})
    assert response.status_code == 204
    assert refresh(api, pair["refresh"]).status_code == 401
    assert verify(api, pair["refresh"]) == 401
    assert api(learner).post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401
    assert refresh(api, other["refresh"]).status_code == 200
    assert refresh(api, theirs["refresh"]).status_code == 200


def test_logout_needs_an_own_refresh_token(api, learner, stranger, pair):
    for token in ("garbage", pair["access"]):
        assert api(learner).post("auth/logout", {"refresh": token}).status_code == 401
    assert api(stranger).post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401
    assert api(None).post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401
    assert refresh(api, pair["refresh"]).status_code == 200


def test_logout_refuses_a_token_of_an_older_version_of_the_account(api, learner, pair):
    set_password_elsewhere(api, learner)
    assert api(learner).post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401


@pytest.mark.parametrize("kind", ["access", "refresh"])
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"user_id": str}, 401),
        ({"user_id": float}, 401),
        ({"user_id": lambda pk: [pk]}, 401),
        ({"user_id": lambda _pk: None}, 401),
        ({"user_id": lambda pk: -pk}, 401),
        ({"user_id": lambda _pk: 2**63}, 401),
        ({"user_id": lambda pk: pk + 1}, 401),
        ({"version": str}, 401),
        ({"version": lambda version: [version]}, 401),
        ({"version": lambda _version: None}, 401),
        ({"version": lambda version: version + 1}, 401),
        ({"version": lambda version: version - 1}, 401),
    ],
)
def test_a_signed_token_needs_an_account_and_its_version_as_numbers(
    api, stranger, kind, changes, status
):
    """As a token of another release, or of another program with our key, would be."""
    User.objects.filter(pk=stranger.pk).update(token_version=3)
    token = {"access": AccessToken, "refresh": RefreshToken}[kind]()
    for claim, value in {"user_id": stranger.pk, "version": 3}.items():
        token[claim] = changes.get(claim, lambda same: same)(value)
    send = {"access": with_token, "refresh": lambda *args: refresh(*args).status_code}[kind]
    assert verify(api, str(token)) == (204 if status == 200 else 401)
    assert send(api, str(token)) == status


@pytest.mark.parametrize("claim", ["user_id", "version", "token_type", "jti", "exp"])
def test_a_token_without_one_of_its_claims_is_none(api, learner, claim):
    kinds: list[Any] = [AccessToken, RefreshToken]
    for token in [kind.for_user(learner) for kind in kinds]:
        del token.payload[claim]
        assert verify(api, str(token)) == 401
        assert with_token(api, str(token)) == 401


def test_each_token_opens_the_account_it_was_issued_to(api, learner, stranger, moderator):
    for user in (learner, stranger, moderator):
        headers = {"Authorization": f"Bearer {issue_access_token(user)}"}
        profile = api(None).get("users/me", headers=headers).json()
        assert (profile["id"], profile["email"]) == (user.pk, user.email)
        assert profile["is_moderator"] is (user == moderator)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "garbage",
        "a.b.c",
        "W1tbW1tbW1tb.e30.x",
        "é.é.é",
        # {"alg":"none","typ":"JWT"}.{"user_id":1,…}
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1c2VyX2lkIjoxfQ.",
        # three thousand times [ for a header
        "W1tb" * 1000 + ".e30.x",
    ],
)
def test_garbage_is_no_token(api, token):
    assert verify(api, token) == 401
    assert refresh(api, token).status_code == 401
    assert with_token(api, token) == 401


@pytest.mark.parametrize("token", ["W1tb" * 100_000 + ".e30.x", "\ud800.e30.x"])
def test_a_header_that_no_library_can_read_is_no_token(api, token):
    """JSON that is nested deeper than Python goes, and text that is none: no errors of the
    server."""
    assert with_token(api, token) == 401


@pytest.mark.parametrize("token", [None, 7, 10**30, [], {}, "x" * 5000, "a\x00b", "\ud800"])
def test_what_is_no_text_is_refused(api, token):
    assert verify(api, token) == 422
    assert refresh(api, token).status_code == 422


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic YTpi", "bearer x", "x", ""])
def test_odd_authorization_headers_are_401(api, db, header):
    response = api(None).get("users/me", headers={"Authorization": header})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"


def test_checking_the_caller_is_one_query(api, learner, moderator, django_assert_num_queries):
    """1: the account, its version and whether it moderates."""
    token = issue_access_token(moderator)
    with django_assert_num_queries(1):
        assert verify(api, token) == 204


def test_records_of_ended_tokens_are_forgotten(api, learner, stranger, pair):
    refresh(api, pair["refresh"])
    rotated, present = OutstandingToken.objects.order_by("-pk")[:2]
    with time_machine.travel(rotated.expires_at - timedelta(seconds=1), tick=False):
        later = log_in(api, stranger).json()
        OutstandingToken.objects.filter(pk=present.pk).update(expires_at=timezone.now())
        assert tasks.forget_expired_tokens() == "1 expired tokens forgotten"
        assert tasks.forget_expired_tokens() == "0 expired tokens forgotten"
    with time_machine.travel(rotated.expires_at, tick=False):
        assert tasks.forget_expired_tokens() == "1 expired tokens forgotten"
        assert OutstandingToken.objects.get().token == later["refresh"]
        assert refresh(api, later["refresh"]).status_code == 200


# --- What happens in between -------------------------------------------------------------------


def erase_elsewhere(api, learner):
    accounts.erase_account(user=learner)


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (set_password_elsewhere, 401, "invalid_credentials"),
        (block_and_unblock, 401, "invalid_credentials"),
        (block, 403, "account_blocked"),
        (deactivate_by_hand, 403, "account_blocked"),
        (erase_elsewhere, 403, "account_blocked"),
    ],
)
def test_log_in_goes_by_what_the_account_is_when_the_password_has_been_compared(
    api, learner, stranger, meanwhile, end, status, code
):
    with meanwhile(lambda: end(api, User.objects.get(pk=learner.pk))):
        response = log_in(api, learner)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not OutstandingToken.objects.exists()
    assert log_in(api, stranger).status_code == 200


def test_a_hash_of_the_old_password_does_not_overwrite_a_new_password(
    api, learner, settings, meanwhile
):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    with meanwhile(lambda: set_password_elsewhere(api, User.objects.get(pk=learner.pk))):
        assert log_in(api, learner).status_code == 401
    assert log_in(api, learner).status_code == 401
    assert log_in(api, learner, "another horse battery").status_code == 200


@pytest.mark.parametrize(
    "end",
    [
        block,
        block_and_unblock,
        deactivate_by_hand,
        set_password_elsewhere,
        erase_elsewhere,
        lambda api, learner: sessions.refresh(token=OutstandingToken.objects.get().token),
    ],
)
def test_refresh_goes_by_what_the_account_is_when_its_turn_comes(
    api, learner, pair, meanwhile, end
):
    with meanwhile(lambda: end(api, User.objects.get(pk=learner.pk))):
        response = refresh(api, pair["refresh"])
    assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
    known = set(OutstandingToken.objects.exclude(token=pair["refresh"]))
    assert len(known) == (1 if end.__name__ == "<lambda>" else 0)


def test_of_two_logouts_with_one_token_at_once_one_is_told_that_it_came_late(
    api, learner, pair, meanwhile
):
    late = api(learner)
    with meanwhile(
        lambda: sessions.log_out(user=learner, token=pair["refresh"]),
        after='FROM "token_blacklist_blacklistedtoken"',
    ):
        assert late.post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401


def test_a_log_in_that_cannot_be_recorded_leaves_nothing(api, learner, failing_at):
    with failing_at('INSERT INTO "token_blacklist_outstandingtoken"'):
        assert log_in(api, learner).status_code == 503
    learner.refresh_from_db()
    assert learner.last_login is None


def test_an_exchange_that_fails_leaves_the_old_token_good(api, learner, pair, failing_at):
    with failing_at('INSERT INTO "token_blacklist_outstandingtoken"'):
        assert refresh(api, pair["refresh"]).status_code == 503
    assert refresh(api, pair["refresh"]).status_code == 200

"""Log-in and the life of tokens."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from ninja_jwt.token_blacklist.models import OutstandingToken

from people import tasks
from people.models import BlockReason, User
from people.services import blocks
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import issue_access_token

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


def test_log_in_gives_tokens_whatever_the_letter_case_and_notes_the_time(api, learner):
    body = {"email": f" {learner.email.upper()}", "password": PASSWORD}
    response = api(None).post("auth/token", body)
    assert response.status_code == 200
    assert set(response.json()) == {"access", "refresh"}
    assert with_token(api, response.json()["access"]) == 200
    learner.refresh_from_db()
    assert timezone.now() - learner.last_login < timedelta(seconds=10)


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


def test_password_hashed_in_an_older_way_is_hashed_anew_and_tokens_stay(api, learner, settings):
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


def test_logout_refuses_this_refresh_token_only(api, learner, pair):
    other = log_in(api, learner).json()
    response = api(learner).post("auth/logout", {"refresh": pair["refresh"]})
    assert response.status_code == 204
    assert refresh(api, pair["refresh"]).status_code == 401
    assert verify(api, pair["refresh"]) == 401
    assert api(learner).post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401
    assert refresh(api, other["refresh"]).status_code == 200


def test_logout_needs_an_own_refresh_token(api, learner, stranger, pair):
    for token in ("garbage", pair["access"]):
        assert api(learner).post("auth/logout", {"refresh": token}).status_code == 401
    assert api(stranger).post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401
    assert api(None).post("auth/logout", {"refresh": pair["refresh"]}).status_code == 401
    assert refresh(api, pair["refresh"]).status_code == 200


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


def test_records_of_ended_tokens_are_forgotten(api, learner, pair):
    refresh(api, pair["refresh"])
    assert tasks.forget_expired_tokens() == "0 expired tokens forgotten"
    with time_machine.travel(timezone.now() + timedelta(days=60)):
        assert tasks.forget_expired_tokens() == "2 expired tokens forgotten"
    assert not OutstandingToken.objects.exists()

"""Log-in and the life of tokens."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db.models import F
from django.utils import timezone
from ninja_jwt import tokens as library
from ninja_jwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from people import tasks
from people.models import BlockReason, TokenFamily, User
from people.services import accounts, blocks
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import (
    AccessToken,
    RefreshToken,
    issue_access_token,
    issue_pair,
    read_refresh_token,
)

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
    assert set(response.json()) == {"access", "refresh", "expires_in"}
    assert response.json()["expires_in"] == 15 * 60
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


@pytest.mark.parametrize("reason", ["inactivity", "staff"])
def test_blocked_account_is_told_so_and_why_only_with_the_right_password(api, learner, reason):
    blocks.block(user=learner, by=None, reason=BlockReason(reason))
    right, wrong = log_in(api, learner), log_in(api, learner, "wrong")
    assert (right.status_code, right.json()["code"]) == (403, "account_blocked")
    assert right.json()["reason"] == reason
    assert "reason" not in wrong.json()
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
        assert response.json()["refresh"] != pair["refresh"]
        assert response.json()["expires_in"] == 15 * 60
        learner.refresh_from_db()
        assert learner.last_login == timezone.now()
        assert with_token(api, response.json()["access"]) == 200
        assert refresh(api, response.json()["refresh"]).status_code == 200


def test_an_exchange_that_is_repeated_gives_the_same_successor(api, pair):
    first, second = refresh(api, pair["refresh"]), refresh(api, pair["refresh"])
    assert first.status_code == second.status_code == 200
    assert first.json()["refresh"] == second.json()["refresh"]
    assert verify(api, pair["refresh"]) == 204
    for answer in (first, second):
        assert with_token(api, answer.json()["access"]) == 200
    assert refresh(api, second.json()["refresh"]).status_code == 200


def pass_time(seconds):
    """Since the last exchange; the database tells the time of it."""
    TokenFamily.objects.update(issued_at=F("issued_at") - timedelta(seconds=seconds))


def test_the_grace_ends_after_half_a_minute(api, pair):
    successor = refresh(api, pair["refresh"]).json()["refresh"]
    pass_time(28)
    assert refresh(api, pair["refresh"]).status_code == 200
    pass_time(2)
    assert verify(api, pair["refresh"]) == 401
    response = refresh(api, pair["refresh"])
    assert (response.status_code, response.json()["code"]) == (401, "token_reused")
    assert verify(api, successor) == 401


def test_who_comes_with_an_old_token_ends_its_family_and_no_other(api, learner, pair):
    """As a thief does, or the person from whom it was stolen."""
    other = log_in(api, learner).json()
    tokens = [pair["refresh"]]
    for _exchange in range(3):
        tokens.append(refresh(api, tokens[-1]).json()["refresh"])
    # Within the grace as well: it is for the direct predecessor only.
    response = refresh(api, tokens[1])
    assert (response.status_code, response.json()["code"]) == (401, "token_reused")
    for token in tokens:
        response = refresh(api, token)
        assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
        assert verify(api, token) == 401
    assert refresh(api, other["refresh"]).status_code == 200


def test_an_expired_token_that_was_exchanged_ends_its_family_after_the_grace(api, settings, pair):
    """A thief may come late."""
    refresh(api, pair["refresh"])
    TokenFamily.objects.update(expires_at=F("expires_at") + timedelta(days=7))
    successor = refresh(api, pair["refresh"]).json()["refresh"]
    lifetime = settings.NINJA_JWT["REFRESH_TOKEN_LIFETIME"] + settings.CLOCK_TOLERANCE
    with time_machine.travel(timezone.now() + lifetime + timedelta(seconds=1)):
        assert refresh(api, pair["refresh"]).json()["code"] == "token_expired"
        assert verify(api, successor) == 204
        pass_time(31)
        response = refresh(api, pair["refresh"])
        assert (response.status_code, response.json()["code"]) == (401, "token_reused")
        assert refresh(api, successor).json()["code"] == "invalid_token"
        assert refresh(api, pair["refresh"]).json()["code"] == "token_expired"


def test_access_tokens_end_with_their_family_and_those_of_others_stay(api, learner, pair):
    other = log_in(api, learner).json()
    successor = refresh(api, pair["refresh"]).json()
    assert with_token(api, pair["access"]) == with_token(api, successor["access"]) == 200
    pass_time(31)
    assert refresh(api, pair["refresh"]).json()["code"] == "token_reused"
    for token in (pair["access"], successor["access"]):
        assert (with_token(api, token), verify(api, token)) == (401, 401)
    assert with_token(api, other["access"]) == 200


@pytest.mark.parametrize("family", [7, "", "x", None, [], "0" * 33, "\ud800", "1" * 32])
def test_an_access_token_of_no_family_is_none(api, learner, family):
    token = AccessToken.for_user(learner)
    token["family"] = family
    assert with_token(api, str(token)) == 401


def test_no_token_lies_in_the_database(api, learner, pair):
    refresh(api, pair["refresh"])
    (family,) = TokenFamily.objects.filter(user=learner).values()
    assert {len(str(value)) < 40 for value in family.values()} == {True}
    assert not OutstandingToken.objects.exists()


def test_tokens_end_with_their_time(api, settings, pair):
    access, refresh_lifetime = (
        settings.NINJA_JWT[f"{kind}_TOKEN_LIFETIME"] for kind in ("ACCESS", "REFRESH")
    )
    tolerance = settings.CLOCK_TOLERANCE
    with time_machine.travel(timezone.now() + access + tolerance - timedelta(seconds=5)):
        assert with_token(api, pair["access"]) == 200
    with time_machine.travel(timezone.now() + access + tolerance + timedelta(seconds=1)):
        for response in (
            api(None).get("users/me", headers={"Authorization": f"Bearer {pair['access']}"}),
            api(None).post("auth/token/verify", {"token": pair["access"]}),
        ):
            assert (response.status_code, response.json()["code"]) == (401, "token_expired")
        assert verify(api, pair["refresh"]) == 204
    with time_machine.travel(timezone.now() + refresh_lifetime + tolerance + timedelta(seconds=1)):
        response = refresh(api, pair["refresh"])
        assert (response.status_code, response.json()["code"]) == (401, "token_expired")
        forged = refresh(api, f"{pair['refresh'][:-4]}AAAA")
        assert (forged.status_code, forged.json()["code"]) == (401, "invalid_token")


def test_a_token_of_a_host_whose_clock_is_ahead_is_good(api, learner):
    with time_machine.travel(timezone.now() + timedelta(seconds=55)):
        pair = log_in(api, learner).json()
    assert with_token(api, pair["access"]) == 200
    assert refresh(api, pair["refresh"]).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=70)):
        pair = log_in(api, learner).json()
    assert with_token(api, pair["access"]) == 401


def test_a_token_serves_its_own_purpose_only(api, pair):
    assert with_token(api, pair["refresh"]) == 401
    assert refresh(api, pair["access"]).status_code == 401


def change_password(api, learner):
    body = {"old_password": PASSWORD, "new_password": "another horse battery"}
    assert api(learner).post("auth/password/change", body).status_code == 200


def block(api, learner):
    blocks.block(user=learner, by=None)


def block_and_unblock(api, learner):
    blocks.block(user=learner, by=None, reason=BlockReason.INACTIVITY)
    blocks.unblock(user=learner, by=None)


def deactivate_by_hand(api, learner):
    User.objects.filter(pk=learner.pk).update(is_active=False)


def erase(api, learner):
    assert api(learner).delete(f"users/{learner.pk}").status_code == 204


def log_out_everywhere(api, learner):
    assert api(learner).post("auth/logout/everywhere").status_code == 204


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
        log_out_everywhere,
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


def log_out(api, token):
    return api(None).post("auth/logout", {"refresh": token}).status_code


def test_logout_ends_the_family_of_the_token_only(api, learner, stranger, pair):
    other, theirs = log_in(api, learner).json(), log_in(api, stranger).json()
    successor = refresh(api, pair["refresh"]).json()["refresh"]
    # The token that was exchanged a moment ago, and the second time: still 204.
    assert log_out(api, pair["refresh"]) == log_out(api, pair["refresh"]) == 204
    assert with_token(api, pair["access"]) == 401
    for token in (pair["refresh"], successor):
        response = refresh(api, token)
        assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
        assert verify(api, token) == 401
    assert log_out(api, successor) == 204
    for still in (other, theirs):
        assert with_token(api, still["access"]) == 200
        assert refresh(api, still["refresh"]).status_code == 200


@pytest.mark.parametrize("header", ["Bearer garbage", "Bearer ", "Basic YTpi"])
def test_logout_asks_for_no_access_token(api, pair, header):
    answer = api(None).post(
        "auth/logout", {"refresh": pair["refresh"]}, headers={"Authorization": header}
    )
    assert answer.status_code == 204
    assert refresh(api, pair["refresh"]).status_code == 401


def test_logout_with_what_is_no_refresh_token_ends_nothing(api, pair):
    forged = f"{pair['refresh'][:-4]}AAAA"
    for token in ("", "garbage", pair["access"], forged):
        assert log_out(api, token) == 204
    assert refresh(api, pair["refresh"]).status_code == 200


def test_logout_with_an_expired_token_ends_what_came_of_it(api, settings, pair):
    later = timezone.now() + settings.NINJA_JWT["REFRESH_TOKEN_LIFETIME"] + timedelta(minutes=2)
    successor = refresh(api, pair["refresh"]).json()["refresh"]
    with time_machine.travel(later):
        assert log_out(api, f"{pair['refresh'][:-4]}AAAA") == 204
    assert verify(api, successor) == 204
    with time_machine.travel(later):
        assert log_out(api, pair["refresh"]) == 204
    assert verify(api, successor) == 401


def test_logout_with_a_token_of_an_older_version_or_a_deleted_account(api, learner, stranger, pair):
    theirs = log_in(api, stranger).json()["refresh"]
    set_password_elsewhere(api, learner)
    stranger.delete()
    assert log_out(api, pair["refresh"]) == log_out(api, theirs) == 204


def test_logout_everywhere_ends_the_tokens_of_this_account_only(api, learner, stranger):
    pairs = [log_in(api, learner).json() for _device in range(2)]
    theirs = log_in(api, stranger).json()
    headers = {"Authorization": f"Bearer {pairs[0]['access']}"}
    assert api(None).post("auth/logout/everywhere", headers=headers).status_code == 204
    for pair in pairs:
        assert refresh(api, pair["refresh"]).status_code == 401
        assert with_token(api, pair["access"]) == 401
    assert not TokenFamily.objects.filter(user=learner).exists()
    assert refresh(api, theirs["refresh"]).status_code == 200
    assert log_in(api, learner).status_code == 200


def test_a_password_change_gives_a_new_pair_and_ends_those_of_the_same_second(api, learner):
    with time_machine.travel(timezone.now(), tick=False):
        pairs = [log_in(api, learner).json() for _device in range(2)]
        body = {"old_password": PASSWORD, "new_password": "another horse battery"}
        headers = {"Authorization": f"Bearer {pairs[0]['access']}"}
        response = api(None).post("auth/password/change", body, headers=headers)
        assert response.status_code == 200
        assert set(response.json()) == {"access", "refresh", "expires_in"}
        for pair in pairs:
            assert refresh(api, pair["refresh"]).status_code == 401
            assert with_token(api, pair["access"]) == 401
        assert with_token(api, response.json()["access"]) == 200
    assert refresh(api, response.json()["refresh"]).status_code == 200


# --- Tokens of the release before --------------------------------------------------------------


@pytest.fixture
def old_token(learner):
    """A refresh token as it was before there were families: on record by its id."""
    token: Any = library.RefreshToken.for_user(learner)  # type: ignore[misc]
    token["version"] = learner.token_version
    OutstandingToken.objects.update(token=str(token))
    return str(token)


def test_an_old_token_is_exchanged_as_the_first_of_a_family(api, learner, old_token):
    assert verify(api, old_token) == 204
    first, second = refresh(api, old_token).json(), refresh(api, old_token).json()
    assert first["refresh"] == second["refresh"]
    assert refresh(api, first["refresh"]).status_code == 200
    pass_time(31)
    assert refresh(api, old_token).json()["code"] == "token_reused"
    assert refresh(api, old_token).json()["code"] == "invalid_token"


def test_an_old_token_is_logged_out(api, old_token):
    assert log_out(api, old_token) == log_out(api, old_token) == 204
    assert verify(api, old_token) == 401
    assert refresh(api, old_token).json()["code"] == "invalid_token"


def test_an_old_token_that_was_exchanged_before_is_none(api, old_token):
    BlacklistedToken.objects.create(token=OutstandingToken.objects.get())
    assert verify(api, old_token) == 401
    assert refresh(api, old_token).json()["code"] == "invalid_token"


def test_a_refresh_token_of_the_release_before_is_good_and_an_access_token_is_exchanged(
    api, learner, pair
):
    """They name the account by its number alone."""
    old_access, old_refresh = AccessToken(pair["access"]), RefreshToken(pair["refresh"])
    for token in (old_access, old_refresh):
        del token["account"]
    headers = {"Authorization": f"Bearer {old_access}"}
    response = api(None).get("users/me", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "token_expired")
    assert verify(api, str(old_refresh)) == 204
    response = refresh(api, str(old_refresh))
    assert response.status_code == 200
    assert with_token(api, response.json()["access"]) == 200


# --- A number that was given again ----------------------------------------------------------------


@pytest.fixture
def other_with_the_number(learner) -> Callable[[], User]:
    """The school after a backup from before the learner was put back: the next who registers gets
    the number that the learner had."""

    def replace() -> User:
        number = learner.pk
        User.objects.filter(pk=number).delete()
        return UserFactory.create(pk=number, token_version=learner.token_version)

    return replace


def test_tokens_do_not_open_the_account_of_whoever_gets_the_number_next(
    api, pair, other_with_the_number
):
    other = other_with_the_number()
    # Even a family of the same name would not help.
    claims = read_refresh_token(pair["refresh"])
    TokenFamily.objects.create(
        pk=claims.family_id, user=other, issued_at=timezone.now(), expires_at=timezone.now()
    )
    assert with_token(api, pair["access"]) == 401
    assert verify(api, pair["access"]) == verify(api, pair["refresh"]) == 401
    response = refresh(api, pair["refresh"])
    assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
    other.refresh_from_db()
    assert other.last_login is None


# --- What is no token ----------------------------------------------------------------------------


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
        ({"account": lambda _account: 7}, 401),
        ({"account": lambda _account: None}, 401),
        ({"account": lambda _account: "garbage"}, 401),
        ({"account": lambda _account: uuid4().hex}, 401),
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
    family = TokenFamily.objects.create(
        user=stranger, issued_at=timezone.now(), expires_at=timezone.now()
    )
    token = {"access": AccessToken, "refresh": RefreshToken}[kind]()
    token["family"] = family.pk.hex
    claims = {"user_id": stranger.pk, "version": 3, "account": stranger.identity.hex}
    for claim, value in claims.items():
        token[claim] = changes.get(claim, lambda same: same)(value)
    send = {"access": with_token, "refresh": lambda *args: refresh(*args).status_code}[kind]
    assert verify(api, str(token)) == (204 if status == 200 else 401)
    assert send(api, str(token)) == status


@pytest.mark.parametrize("family", [7, "", "x", None, [], {}, "0" * 33, "\ud800"])
@pytest.mark.parametrize("generation", [0, -1, 2**63, "0", None])
def test_a_signed_token_needs_a_family_and_its_place_there(api, learner, family, generation):
    token = RefreshToken.for_user(learner)
    token["family"], token["generation"] = family, generation
    assert verify(api, str(token)) == 401
    assert refresh(api, str(token)).json()["code"] == "invalid_token"
    assert log_out(api, str(token)) == 204


def test_a_token_of_somebody_else_is_none_of_a_family(api, learner, stranger, pair):
    family = TokenFamily.objects.get()
    token = str(RefreshToken.of_family(family, stranger))
    assert verify(api, token) == 401
    assert refresh(api, token).json()["code"] == "invalid_token"
    assert log_out(api, token) == 204
    assert refresh(api, pair["refresh"]).status_code == 200


@pytest.mark.parametrize("claim", ["user_id", "version", "token_type", "jti", "exp"])
def test_a_token_without_one_of_its_claims_is_none(api, learner, claim):
    kinds: tuple[Any, ...] = (AccessToken, RefreshToken)
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
    """1: the account, its version, its family and whether it moderates."""
    token = issue_pair(moderator).access
    with django_assert_num_queries(1):
        assert verify(api, token) == 204


def test_records_of_ended_tokens_are_forgotten(api, settings, learner, stranger, old_token, pair):
    """The family of a log-in, and the record of a token from before there were families."""
    later = log_in(api, stranger).json()["refresh"]
    ends = timezone.now() + settings.CLOCK_TOLERANCE
    TokenFamily.objects.filter(user=learner).update(expires_at=ends)
    OutstandingToken.objects.update(expires_at=ends)
    with time_machine.travel(ends + timedelta(seconds=59), tick=False):
        assert tasks.forget_expired_tokens() == {"tokens_forgotten": 0}
    with time_machine.travel(ends + settings.CLOCK_TOLERANCE, tick=False):
        assert tasks.forget_expired_tokens() == {"tokens_forgotten": 2}
        assert TokenFamily.objects.get().user == stranger
    assert refresh(api, later).status_code == 200


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
    assert not TokenFamily.objects.exists()
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
    ],
)
def test_log_out_and_exchange_find_what_became_of_the_account(api, learner, pair, end):
    end(api, User.objects.get(pk=learner.pk))
    response = refresh(api, pair["refresh"])
    assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
    assert log_out(api, pair["refresh"]) == 204


def test_a_log_in_that_cannot_be_recorded_leaves_nothing(api, learner, failing_at):
    with failing_at('INSERT INTO "people_tokenfamily"'):
        assert log_in(api, learner).status_code == 503
    learner.refresh_from_db()
    assert learner.last_login is None


def test_an_exchange_that_fails_leaves_the_old_token_good(api, learner, pair, failing_at):
    with failing_at('UPDATE "people_tokenfamily"'):
        assert refresh(api, pair["refresh"]).status_code == 503
    assert TokenFamily.objects.get().generation == 0
    assert refresh(api, pair["refresh"]).status_code == 200

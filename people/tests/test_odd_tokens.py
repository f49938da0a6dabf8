"""Tokens and links that we signed, and that say what we never say: refused, and never a fault of ours."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.core.signing import Signer
from django.test import Client
from django.utils.http import urlsafe_base64_encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from people.models import TokenFamily
from people.one_time_links import password_reset_tokens, reactivation_tokens
from people.tokens import AccessToken, RefreshToken, issue_pair

pytestmark = pytest.mark.django_db

GONE = object()
HUGE = 2**200
ODD: list[Any] = [
    GONE, None, True, False, -1, 2**31, 2**63, HUGE, -HUGE, 1.5, 1e308, float("nan"), float("inf"),
    "", "x", "0", "１", "\0", "\ud800", "é" * 32, [], [1], {}, {"a": {"b": [None]}}, "z" * 32, "9" * 32,
]  # fmt: skip
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}
ALGORITHMS: list[Any] = [
    "none", "None", "", "HS384", "HS512", "RS256", "ES256", None, 1, [], {}, ["HS256"],
]  # fmt: skip
# What a token may leave out: those of the release before did.
OPTIONAL = {"access": {"family"}, "refresh": {"account", "generation"}}


def encoded(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")


def signed(payload: object, header: object = HEADER) -> str:
    """A token with our signature under anything; bytes are taken as they are."""
    parts = [
        one if isinstance(one, bytes) else json.dumps(one).encode() for one in (header, payload)
    ]
    content = b".".join(map(encoded, parts))
    digest = hmac.digest(project_settings.SECRET_KEY.encode(), content, "sha256")
    return (content + b"." + encoded(digest)).decode()


def statuses(api: Any, token: str) -> dict[str, int]:
    """What each door answers to whoever shows the token."""
    client = api(None)
    headers = {"Authorization": f"Bearer {token}"}
    return {
        "access": client.get("users/me", headers=headers).status_code,
        "refresh": client.post("auth/token/refresh", {"refresh": token}).status_code,
        "verify": client.post("auth/token/verify", {"token": token}).status_code,
        "logout": client.post("auth/logout", {"refresh": token}).status_code,
    }


REFUSED = {"access": 401, "refresh": 401, "verify": 401, "logout": 204}


@pytest.fixture
def claims(learner) -> dict[str, dict[str, Any]]:
    """Of both tokens of a log-in."""
    pair = issue_pair(learner)
    return {
        "access": AccessToken(pair.access).payload,
        "refresh": RefreshToken(pair.refresh).payload,
    }


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_what_these_tests_sign_is_good_as_it_is(api, claims, kind):
    answers = statuses(api, signed(claims[kind]))
    assert answers == REFUSED | {kind: 200, "verify": 204}


@pytest.mark.parametrize(
    "value", ODD, ids=lambda value: "gone" if value is GONE else repr(value)[:20]
)
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_token_with_an_odd_claim_is_no_token(api, claims, kind, value):
    for claim in claims[kind]:
        odd = claims[kind] | {claim: value}
        if value is GONE:
            del odd[claim]
            if claim in OPTIONAL[kind]:
                continue
        elif claim == "jti" and isinstance(value, str):
            continue  # a name like any other
        elif claim == "exp" and value == 2**31:
            continue  # a time like any other, in 2038
        assert statuses(api, signed(odd)) == REFUSED, (claim, value)
    assert TokenFamily.objects.count() == 1  # nobody was logged out by any of them


@pytest.mark.parametrize(
    "header",
    [HEADER | {"alg": alg} for alg in ALGORITHMS]
    + [{}, [], None, 1, "HS256", b"\xff", b"{", b'{"alg":"HS256","alg":"none"}']
    + [HEADER | {"kid": [1]}, HEADER | {"crit": ["b64"], "b64": False}, HEADER | {"crit": 1}],
)
def test_a_token_with_an_odd_header_is_no_token(api, claims, header):
    for kind in claims:
        assert statuses(api, signed(claims[kind], header)) == REFUSED


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"NaN",
        b"{}",
        b"[" * 2000,
        b'{"exp":' * 300,
    ],
)
def test_what_is_no_object_is_no_token(api, payload):
    assert statuses(api, signed(payload)) == REFUSED


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_of_a_claim_given_twice_the_last_one_counts(api, claims, kind):
    text = json.dumps(claims[kind])
    for claim in claims[kind]:
        twice = f'{text[:-1]}, "{claim}": [1]}}'
        assert statuses(api, signed(twice.encode())) == REFUSED, claim
        assert 500 not in statuses(api, signed(f'{{"{claim}": [1], {text[1:]}'.encode())).values()


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_token_of_the_future_is_no_token_yet(api, claims, kind):
    for claim in ("iat", "nbf"):
        later = claims[kind] | {claim: int(time.time()) + 3600}
        assert statuses(api, signed(later)) == REFUSED


@pytest.mark.parametrize(
    "token", ["", "..", "a.b.c", "é.é.é", "\ud800", "." * 4000, "e30.e30.", "=.=.="]
)
def test_what_is_no_token_at_all_is_refused(api, token):
    client = api(None)
    for path, body in (("refresh", {"refresh": token}), ("verify", {"token": token})):
        assert client.post(f"auth/token/{path}", body).status_code in {401, 422}
    assert client.post("auth/logout", {"refresh": token}).status_code in {204, 422}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = [
    "exp",
    "iat",
    "nbf",
    "jti",
    "token_type",
    "user_id",
    "account",
    "version",
    "family",
    "generation",
]
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EXAMPLES
@given(
    kind=st.sampled_from(["access", "refresh"]),
    others=st.dictionaries(st.sampled_from(NAMES), JSON),
)
def test_no_claims_whatever_are_a_fault_of_ours(api, claims, kind, others):
    for payload in (others, claims[kind] | others):
        answers = statuses(api, signed(payload))
        assert set(answers.values()) <= {200, 204, 401}, payload
    assert statuses(api, signed(others)) == REFUSED


# --- Links in mails -----------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["password/reset/confirm", "reactivation/confirm"])
@pytest.mark.parametrize(
    "uid",
    ["", "!", "é", "\0", "\ud800", "=" * 200, "A" * 200]
    + [
        urlsafe_base64_encode(name)
        for name in (b"", b"x" * 16, b"\xff" * 16, b"9" * 140, b"-1", b"1e5")
    ],
)
def test_a_link_that_names_nobody_is_refused(api, learner, operation, uid):
    for token in ("", "-", "1-1", "zzzzzzzzzzzzz-x", "-" * 200, "é-é", "1-" + "0" * 64):
        body = {"uid": uid, "token": token}
        if operation.startswith("password"):
            body["new_password"] = "another good battery"
        assert api(None).post(f"auth/{operation}", body).status_code in {409, 422, 429}


@EXAMPLES
@given(uid=st.text(max_size=60), token=st.text(max_size=60) | st.from_regex(r"[0-9a-z]{1,14}-\w*"))
def test_no_link_whatever_is_a_fault_of_ours(api, learner, settings, uid, token):
    settings.THROTTLE_LOGIN = "1000000/min"
    own = urlsafe_base64_encode(learner.identity.bytes)
    for name in (uid, own):
        answer = api(None).post("auth/reactivation/confirm", {"uid": name, "token": token})
        assert answer.status_code in {409, 422}
        body = {"uid": name, "token": token, "new_password": "another good battery"}
        assert api(None).post("auth/password/reset/confirm", body).status_code in {409, 422}
    for made in (password_reset_tokens, reactivation_tokens):
        assert not made.check_token(learner, token)


def unsubscribe(client: Client, name: str) -> int:
    address = f"/unsubscribe/{Signer(salt='lms.unsubscribe').sign(name)}/"
    asked, done = client.get(address), client.post(address)
    assert asked.status_code == done.status_code
    return done.status_code


@pytest.mark.parametrize(
    "name",
    ["", "-", "1", "x-1", "1-x", "z" * 32 + "-1", "0" * 32 + "-x", "-1-1", "é-1", "１-2-3"],
)
def test_an_unsubscribe_link_of_ours_that_says_nothing_is_unknown(client, name):
    assert unsubscribe(client, name) == 404


@pytest.mark.parametrize("name", [f"{HUGE}-1", f"1-{HUGE}", "1--1", "0" * 32 + f"-{HUGE}"])
def test_an_unsubscribe_link_of_what_is_gone_ends_nothing(client, name):
    assert unsubscribe(client, name) == 200
